// What we ask of Docker's engine, and what we do when there is none. No image runs here: the engine is a fake.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, test } from 'node:test'
import { clusterDown, clusterStatus, clusterUp } from '../../src/cluster/background.ts'
import { BROKER_READY } from '../../src/cluster/broker.ts'
import { startCluster } from '../../src/cluster/cluster.ts'
import { CONFLUENT_VERSION } from '../../src/cluster/docker-cluster.ts'
import { noDockerEngine } from '../../src/cluster/docker-engine.ts'
import type { Logger } from '../../src/ops/logger.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { type ClusterEnvironment, clusterEnvironment } from '../../src/settings.ts'
import { type FakeDockerEngine, startFakeDockerEngine } from '../support/fake-docker-engine.ts'
import { kriOutput } from '../support/kri-output.ts'

// Its reaper would be one more container, of an image that no fake can run.
process.env.TESTCONTAINERS_RYUK_DISABLED = 'true'
const SESSION = 'org.testcontainers.session-id'

const cacheFolder = mkdtempSync(join(tmpdir(), 'kri-cache-'))
const engine = await startFakeDockerEngine(`[KafkaRaftServer nodeId=1] ${BROKER_READY} (kafka.server.KafkaRaftServer)`)
process.env.DOCKER_HOST = engine.host
after(async () => {
  await engine.close()
  rmSync(cacheFolder, { recursive: true })
})

/** Without Java: what falls through to it says so. */
const environment = (dockerHosts: readonly string[], backend?: 'docker' | 'jvm'): ClusterEnvironment => ({
  cacheFolder,
  dockerHosts,
  java: '/nowhere/java',
  maven: 'mvn',
  ...(backend === undefined ? {} : { backend }),
})
const there = (container: FakeDockerEngine['containers'][number]) => container.state !== 'removed'

describe('a cluster in containers', () => {
  afterEach(() => {
    assert.deepEqual(engine.containers.filter(there), [], 'no container is left')
    assert.equal(engine.networks.size, 0, 'no network is left')
  })

  test('is three brokers that know each other and a registry, pinned, on loopback, left to the reaper', async () => {
    const cluster = await startCluster({
      brokers: 3,
      registry: true,
      logger: silentLogger,
      environment: environment([engine.host]),
    })
    const containers = engine.containers.filter(there)
    assert.deepEqual(containers.map(({ aliases }) => aliases.join()).sort(), [
      'broker-1',
      'broker-2',
      'broker-3',
      'registry',
    ])
    for (const { body } of containers) {
      assert.match(body.Image, new RegExp(`^confluentinc/cp-(kafka|schema-registry):${CONFLUENT_VERSION}$`))
      assert.deepEqual(
        Object.values(body.HostConfig.PortBindings)
          .flat()
          .map(({ HostIp }) => HostIp),
        ['127.0.0.1'],
      )
      assert.ok(body.Labels[SESSION] !== undefined)
    }
    const ports = cluster.brokers.map(broker => broker.split(':')[1])
    for (const [index, port] of ports.entries()) {
      const { body } = containers.find(({ aliases }) => aliases.includes(`broker-${index + 1}`))!
      const env = Object.fromEntries(body.Env.map(line => line.split(/=(.*)/s)))
      assert.equal(body.HostConfig.PortBindings['9092/tcp']![0]!.HostPort, port)
      assert.equal(env.KAFKA_NODE_ID, String(index + 1))
      assert.equal(env.KAFKA_CONTROLLER_QUORUM_VOTERS, '1@broker-1:9093,2@broker-2:9093,3@broker-3:9093')
      assert.equal(env.KAFKA_ADVERTISED_LISTENERS, `INTERNAL://broker-${index + 1}:19092,MACHINE://127.0.0.1:${port}`)
      assert.equal(env.KAFKA_MIN_INSYNC_REPLICAS, '2')
    }
    assert.equal(
      new Set(containers.flatMap(({ body }) => body.Env.filter(line => line.startsWith('CLUSTER_ID=')))).size,
      1,
    )
    assert.equal((await fetch(`${cluster.registryUrl}/subjects`)).status, 200)
    await assert.rejects(cluster.release(), /outlive/)
    await cluster.stop()
  })

  test('has brokers that are killed, paused, and started again on their port', async () => {
    const cluster = await startCluster({
      brokers: 1,
      registry: false,
      logger: silentLogger,
      environment: environment([engine.host], 'docker'),
    })
    const broker = engine.containers.find(there)!
    const { HostPort } = broker.body.HostConfig.PortBindings['9092/tcp']![0]!
    await cluster.pauseBroker(0)
    assert.equal(broker.state, 'paused')
    await cluster.resumeBroker(0)
    assert.equal(broker.state, 'running')
    await cluster.killBroker(0)
    assert.equal(broker.state, 'exited')
    await cluster.startBroker(0)
    assert.equal(broker.state, 'running')
    assert.deepEqual(cluster.brokers, [`127.0.0.1:${HostPort}`])
    await assert.rejects(cluster.killBroker(1), /broker-2 is none of broker-1/)
    await assert.rejects(cluster.killRegistry(), /not asked for/)
    await cluster.stop()
  })

  test('of kri cluster up outlives its command, is found again, and ends with kri cluster down', async () => {
    const given = environment([engine.host])
    const up = await clusterUp({ brokers: 1, logger: silentLogger, environment: given })
    assert.equal(up.backend, 'docker')
    assert.deepEqual(
      up.processes.map(({ name, running }) => [name, running]),
      [
        ['broker-1', true],
        ['registry', true],
      ],
    )
    const containers = engine.containers.filter(there)
    // The reaper removes what has this label.
    for (const { body } of containers) assert.equal(body.Labels[SESSION], undefined)
    for (const { Labels } of engine.networks.values()) assert.equal(Labels[SESSION], undefined)
    assert.deepEqual(await clusterStatus(given), up)
    const again = await kriOutput(['cluster', 'up'], {
      env: { KRI_CACHE_FOLDER: cacheFolder, DOCKER_HOST: engine.host },
    })
    assert.equal(again.code, 0, again.stderr)
    const first = again.stdout.split('\n')[0]
    assert.equal(first, `already running since ${up.startedAt}, started from ${process.cwd()}: nothing to start`)
    assert.equal(engine.containers.filter(there).length, 2)
    containers[0]!.state = 'exited'
    assert.deepEqual(
      (await clusterStatus(given))!.processes.map(({ running }) => running),
      [false, true],
    )
    assert.equal(await clusterDown(given), true)
    assert.equal(await clusterDown(given), false)
  })

  test('that somebody else removed is not there any more', async () => {
    const given = environment([engine.host])
    await clusterUp({ brokers: 1, logger: silentLogger, environment: given })
    for (const container of engine.containers) {
      container.state = 'removed'
      container.service?.close()
    }
    assert.equal(await clusterStatus(given), undefined)
  })

  test('that does not come up leaves nothing, and Java is tried; not where Docker was asked for', async () => {
    const { logLine } = engine
    engine.logLine = undefined
    const warnings: string[] = []
    const logger: Logger = { ...silentLogger, warn: (_, message) => warnings.push(message) }
    const start = (backend?: 'docker') =>
      startCluster({ brokers: 1, registry: true, logger, environment: environment([engine.host], backend) })
    await assert.rejects(start(), /Java was not found/)
    assert.match(warnings.join(), /containers did not come up/)
    await assert.rejects(start('docker'), /Docker was asked for, but: .*not received/)
    engine.logLine = logLine
  })
})

describe('without an engine', () => {
  let silent: { readonly host: string; close(): void }
  before(async () => {
    const server = createServer()
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    silent = { host: `tcp://127.0.0.1:${(server.address() as { port: number }).port}`, close: () => server.close() }
  })
  after(() => silent.close())

  test('Java is tried within a second, with a line for those who debug', async () => {
    const lines: string[] = []
    const logger: Logger = { ...silentLogger, debug: (_, message) => lines.push(message) }
    const hosts = ['unix:///nowhere/docker.sock', silent.host]
    const begun = performance.now()
    await assert.rejects(
      startCluster({ brokers: 1, registry: true, logger, environment: environment(hosts) }),
      /Java was not found/,
    )
    assert.ok(performance.now() - begun < 1_000)
    assert.deepEqual(lines, ['no Docker engine to use: the cluster starts as Java processes'])
  })

  test('Docker that was asked for is refused, with what was tried', async () => {
    const given = environment(['unix:///nowhere/docker.sock'], 'docker')
    const start = startCluster({ brokers: 1, registry: true, logger: silentLogger, environment: given })
    await assert.rejects(start, /Docker was asked for, but: unix:\/\/\/nowhere\/docker\.sock: .*ENOENT.*Ways out/)
  })

  test('an engine is one that answers on this machine', async () => {
    assert.equal(await noDockerEngine(['unix:///nowhere', engine.host]), undefined)
    assert.match((await noDockerEngine([silent.host]))!, /does not answer/)
    assert.match((await noDockerEngine(['tcp://192.0.2.1:2375']))!, /on another machine/)
    assert.match((await noDockerEngine(['ssh://somebody@somewhere']))!, /not looked at/)
  })

  test('what was asked for is asked of Java alone: a registry beside given brokers, KRI_CLUSTER=jvm', async () => {
    const asked = engine.containers.length
    const beside = { ...environment([engine.host]), brokers: ['broker:1'] }
    await assert.rejects(
      startCluster({ brokers: 1, registry: true, logger: silentLogger, environment: beside }),
      /Java was not found/,
    )
    const jvm = environment([engine.host], 'jvm')
    await assert.rejects(
      startCluster({ brokers: 1, registry: true, logger: silentLogger, environment: jvm }),
      /Java was not found/,
    )
    assert.equal(engine.containers.length, asked)
  })
})

test('KRI_CLUSTER is docker or jvm, and DOCKER_HOST says where to ask', () => {
  assert.equal(clusterEnvironment({ KRI_CLUSTER: 'jvm' }).backend, 'jvm')
  assert.equal(clusterEnvironment({}).backend, undefined)
  assert.throws(() => clusterEnvironment({ KRI_CLUSTER: 'podman' }), /KRI_CLUSTER: expected docker or jvm, got podman/)
  assert.deepEqual(clusterEnvironment({ DOCKER_HOST: 'tcp://127.0.0.1:1' }).dockerHosts, ['tcp://127.0.0.1:1'])
  assert.ok(clusterEnvironment({}).dockerHosts.includes('unix:///var/run/docker.sock'))
})
