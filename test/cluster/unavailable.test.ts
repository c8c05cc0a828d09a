import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { startCluster } from '../../src/cluster/cluster.ts'
import { freePorts } from '../../src/cluster/ports.ts'
import { silentLogger } from '../../src/ops/logger.ts'

const cacheFolder = mkdtempSync(join(tmpdir(), 'kri-cache-'))
after(() => rmSync(cacheFolder, { recursive: true }))

const start = (environment: { java: string; maven: string; brokers?: readonly string[]; registryUrl?: string }) =>
  startCluster({
    brokers: 1,
    registry: true,
    logger: silentLogger,
    environment: { cacheFolder, dockerHosts: [], ...environment },
  })

/** What every refusal must offer. */
function offersWaysOut(error: Error): void {
  assert.match(error.message, /^\[CLUSTER_UNAVAILABLE\]/)
  for (const way of ['KRI_BROKERS', 'KRI_REGISTRY_URL', 'apt-get install', 'JAVA_HOME'])
    assert.ok(error.message.includes(way), way)
}

describe('where no cluster can be had, the error says what was tried and the ways out', () => {
  test('without Java', async () => {
    await assert.rejects(start({ java: '/nowhere/java', maven: 'mvn' }), (error: Error) => {
      offersWaysOut(error)
      assert.match(error.message, /Java was not found \(tried "\/nowhere\/java -version"\)/)
      return true
    })
  })

  test('with something that is no Java', async () => {
    await assert.rejects(start({ java: process.execPath, maven: 'mvn' }), (error: Error) => {
      offersWaysOut(error)
      return true
    })
  })

  test('what the environment gives is taken as it is, and never stopped', async () => {
    const given = { brokers: ['broker:1'], registryUrl: 'http://registry:2' }
    const cluster = await start({ java: '/nowhere/java', maven: '/nowhere/mvn', ...given })
    assert.deepEqual({ brokers: cluster.brokers, registryUrl: cluster.registryUrl }, given)
    assert.equal(cluster.local, undefined)
    await assert.rejects(cluster.killBroker(0), /KRI_BROKERS/)
    await cluster.stop()
  })
})

test('free ports are distinct, and below those of outgoing connections', async () => {
  const ports = await freePorts(20)
  assert.equal(new Set(ports).size, 20)
  assert.ok(ports.every(port => port >= 15_000 && port < 32_000))
})
