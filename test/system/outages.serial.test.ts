// Real brokers and a real registry that are killed and come back while instances work: nobody has to help, nothing is lost, and
// nothing becomes a dead letter.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import type { KafkaPort } from '../../src/kafka/port.ts'
import { createKafkaPort } from '../../src/kafkajs/kafka-port.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { batchOf } from '../contract/port-harness.ts'
import { ownCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { type KriProcess, startKri } from '../support/kri-process.ts'
import { judgeRows, writeRows } from '../support/raw-rows.ts'

const BROKERS = 3
const PARTITIONS = 6
const ROWS = 600
/** More is not written before it has been worked off: the machine is to be busy with the outages. */
const MAX_BEHIND = 3_000
/** Starts, elections and sessions take their time on a busy machine. */
const PATIENCE_MS = 120_000

const cluster = await ownCluster({ brokers: BROKERS, registry: true })
const REPLICATED = ['--replication-factor', '3', '--min-isr', '2', '--partitions', String(PARTITIONS)]

describe('outages', { skip: cluster.skip }, () => {
  let port: KafkaPort
  const started: KriProcess[] = []
  before(() => {
    const options = { brokers: cluster.brokers, clientId: 'outages', logger: silentLogger, clock: systemClock }
    port = createKafkaPort({ ...options, random: Math.random })
  })
  after(async () => {
    for (const { child } of started) child.kill('SIGKILL')
    await port.close()
    await cluster.stop()
  })

  const kri = (...args: string[]): KriProcess => {
    const process = startKri([...args, '--brokers', cluster.brokers.join(), '--registry-url', cluster.registryUrl!])
    started.push(process)
    return process
  }
  const done = async (...args: string[]) => {
    const process = kri(...args)
    assert.equal(await process.ended, 0, process.log())
  }
  const run = (...args: string[]) => kri('run', ...args, '--http-port', '0', '--session-timeout-ms', '10000')
  const problems = async (instance: KriProcess) =>
    (JSON.parse(await instance.text('/readyz')) as { problems: Record<string, string> }).problems
  const isWell = async (instance: KriProcess) =>
    (await instance.status('/readyz')) === 200 && Object.keys(await problems(instance)).length === 0
  const written = async (topic: string) =>
    (await port.admin.offsets(topic)).reduce((sum, { start, end }) => sum + end - start, 0)

  it('each of three brokers, leaders and coordinators among them, is killed and comes back: in both guarantees nothing is lost', async () => {
    const guarantees = ['at_least_once', 'exactly_once'] as const
    const names = { at_least_once: 'alo', exactly_once: 'eos' }
    const flags = (name: string) => {
      const given = { in: `${name}.in`, out: `${name}.out`, model: 'models/digits-mlp-v1.onnx', width: 64 }
      const parameters = Object.entries({ ...given, applicationId: name })
      return ['topologies/raw-tensors.ts', ...parameters.flatMap(([key, value]) => ['--param', `${key}=${value}`])]
    }
    for (const guarantee of guarantees) await done('topics', 'apply', ...flags(names[guarantee]), ...REPLICATED)
    const instances = guarantees.map(guarantee => run(...flags(names[guarantee]), '--processing-guarantee', guarantee))
    for (const instance of instances) await instance.whenReady(PATIENCE_MS)

    let isWriting = true
    const load = Promise.all(
      guarantees.map(async guarantee => {
        const rows = { partitions: PARTITIONS, records: ROWS }
        const [input, output] = [`${names[guarantee]}.in`, `${names[guarantee]}.out`]
        const isNear = async () => (await written(input)) - (await written(output)) < MAX_BEHIND || !isWriting
        while (isWriting) {
          await writeRows(port, input, rows)
          await eventually('they are not too far behind', isNear, PATIENCE_MS)
        }
      }),
    )
    for (let index = 0; index < BROKERS; index++) {
      const before = await Promise.all(guarantees.map(guarantee => written(`${names[guarantee]}.out`)))
      await eventually(
        'all work',
        async () => {
          const now = await Promise.all(guarantees.map(guarantee => written(`${names[guarantee]}.out`)))
          return now.every((count, i) => count > before[i]! + ROWS)
        },
        PATIENCE_MS,
      )
      await cluster.killBroker(index)
      for (const instance of instances) {
        const says = async () => !(await isWell(instance))
        await eventually(`/readyz says that broker ${index} is gone`, says, PATIENCE_MS)
        assert.equal(await instance.status('/livez'), 200)
      }
      await cluster.startBroker(index)
      for (const instance of instances) await eventually('/readyz is well again', () => isWell(instance), PATIENCE_MS)
    }
    isWriting = false
    await load
    for (const guarantee of guarantees) {
      const name = names[guarantee]
      await eventually(
        'all is committed',
        async () => {
          const ends = await port.admin.offsets(`${name}.in`)
          const committed = await port.admin.committed(name, `${name}.in`)
          return ends.every(({ end }, partition) => committed[partition] === end)
        },
        PATIENCE_MS,
      )
      const { missing, duplicates, restarts, failed } = await judgeRows(port, { in: `${name}.in`, out: `${name}.out` })
      assert.deepEqual({ missing, failed }, { missing: 0, failed: 0 }, guarantee)
      if (guarantee === 'exactly_once') assert.deepEqual({ duplicates, restarts }, { duplicates: 0, restarts: 0 })
      else assert.ok(restarts <= BROKERS * PARTITIONS, `an output went back ${restarts} times`)
    }
    for (const instance of instances) {
      instance.child.kill('SIGTERM')
      assert.equal(await instance.ended, 0, instance.log())
    }
  })

  it('a member tells that a rebalance is over while a broker is gone', async () => {
    await port.admin.createTopics([{ name: 'told', partitions: BROKERS, replicationFactor: BROKERS, configs: {} }])
    const timing = {
      sessionTimeoutMs: 10_000,
      heartbeatIntervalMs: 500,
      rebalanceTimeoutMs: 10_000,
      drainBudgetMs: 500,
    }
    const fetches = { maxBytesPerPartition: 1024, maxBytesPerFetch: 4096, maxFetchWaitMs: 100 }
    const sources = [{ topic: 'told', start: 'earliest' as const }]
    const memberThatTells = (states: string[]) =>
      port.member(
        { groupId: 'told', sources, ...timing, ...fetches },
        {
          onAssigned: () => {},
          onLost: () => {},
          onBlock: () => {},
          onRebalance: async () => {},
          onState: state => states.push(state),
          onFatal: error => assert.fail(error),
        },
      )
    const states: string[] = []
    const first = memberThatTells(states)
    const second = memberThatTells([])
    await first.start()
    await cluster.killBroker(1)
    await eventually('it is degraded', () => states.at(-1) === 'degraded', PATIENCE_MS)
    const before = states.length
    await second.start()
    const since = () => states.slice(before)
    await eventually(
      'it has joined again',
      () => since().lastIndexOf('joined') > since().indexOf('rebalancing'),
      PATIENCE_MS,
    )
    await Promise.all([first.stop(), second.stop()])
    await cluster.startBroker(1)
  })

  it('the registry is killed: records with an unknown schema wait, an instance that starts waits, and all goes on', async () => {
    const digits = 'topologies/digits.ts'
    // A registry that has just started may be slow with its first schemas; applying twice is fine.
    const isApplied = async () => (await kri('topics', 'apply', digits, '--schemas', ...REPLICATED).ended) === 0
    await eventually('topics and schemas are there', isApplied, PATIENCE_MS)
    const first = run(digits)
    await first.whenReady(PATIENCE_MS)
    const schema = JSON.parse(await readFile('schemas/digit.avsc', 'utf8')) as object
    const answer = await fetch(`${cluster.registryUrl}/subjects/digits.images-value/versions`, {
      method: 'POST',
      headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
      body: JSON.stringify({ schema: JSON.stringify({ ...schema, doc: 'Written by another program.' }) }),
    })
    const { id } = (await answer.json()) as { id: number }
    await cluster.killRegistry()

    const wire = Buffer.alloc(5)
    wire.writeInt32BE(id, 1)
    // "one", 64 times 1, and the end of the array.
    const value = Buffer.concat([
      wire,
      Buffer.from('\u0006one'),
      Buffer.from([0x80, 0x01]),
      Buffer.alloc(64, 2),
      Buffer.from([0]),
    ])
    const writer = port.writer()
    await writer.send([batchOf('digits.images', 0, [{ key: 'one', value }], Date.now())])
    await writer.close()
    const second = run(digits)
    await eventually('/readyz names the registry', async () => 'registry' in (await problems(first)), PATIENCE_MS)
    await eventually('the second one says so too', () => second.log().includes('REGISTRY_UNAVAILABLE'), PATIENCE_MS)
    assert.deepEqual([await first.status('/livez'), await second.status('/readyz')], [200, 503])
    assert.match(await first.text('/metrics'), /kri_retries_total\{[^}]*registry[^}]*\} [1-9]/)
    assert.equal(await written('digits.predictions'), 0)

    await cluster.startRegistry()
    await eventually('the record is done', async () => (await written('digits.predictions')) === 1, PATIENCE_MS)
    await second.whenReady(PATIENCE_MS)
    await eventually('both are well', async () => (await isWell(first)) && (await isWell(second)), PATIENCE_MS)
    for (const stage of ['preprocess', 'inference', 'postprocess'])
      assert.equal(await written(`digits.classify.failed-${stage}`), 0, stage)
  })
})
