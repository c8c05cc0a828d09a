// Real processes on a real broker, ended and interrupted as it happens at night: nothing is lost, and only what was not yet
// committed comes twice.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { KafkaPort } from '../../src/kafka/port.ts'
import { createKafkaPort } from '../../src/kafkajs/kafka-port.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { applyTopics } from '../support/apply-topics.ts'
import { ownCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { type KriProcess, startKri } from '../support/kri-process.ts'
import { judgeRows, writeRows } from '../support/raw-rows.ts'

const PARTITIONS = 4
/** Written by each `fill`: enough that an instance is in the midst of it when something happens. */
const RECORDS = 60_000
const OUTAGE_MS = 60_000

const cluster = await ownCluster({ brokers: 1 })

describe('instances on a real broker', { skip: cluster.skip }, () => {
  let port: KafkaPort
  const started: KriProcess[] = []
  before(() => {
    port = createKafkaPort({
      brokers: cluster.brokers,
      clientId: 'faults',
      logger: silentLogger,
      clock: systemClock,
      random: Math.random,
    })
  })
  after(async () => {
    for (const { child } of started) child.kill('SIGKILL')
    await port.close()
    await cluster.stop()
  })

  const topologyOf = (name: string) => [
    'topologies/raw-tensors.ts',
    ...Object.entries({
      in: `${name}.in`,
      out: `${name}.out`,
      model: 'models/digits-mlp-v1.onnx',
      width: 64,
      applicationId: name,
    }).flatMap(([key, value]) => ['--param', `${key}=${value}`]),
  ]
  const flags = (name: string) => [...topologyOf(name), '--brokers', cluster.brokers.join()]
  const instance = (name: string): KriProcess => {
    const limits = ['--http-port', '0', '--session-timeout-ms', '6000', '--max-in-flight-rows', '4096']
    const process = startKri(['run', ...flags(name), ...limits])
    started.push(process)
    return process
  }
  const prepare = (name: string) =>
    applyTopics(cluster.brokers, ...topologyOf(name), '--partitions', String(PARTITIONS))
  const fill = (topic: string) => writeRows(port, topic, { partitions: PARTITIONS, records: RECORDS })
  const judge = (name: string) => judgeRows(port, { in: `${name}.in`, out: `${name}.out` })
  const written = async (topic: string) =>
    (await port.admin.offsets(topic)).reduce((sum, { start, end }) => sum + end - start, 0)
  const caughtUp = async (name: string) => {
    const ends = await port.admin.offsets(`${name}.in`)
    const committed = await port.admin.committed(name, `${name}.in`)
    return ends.every(({ end }, partition) => committed[partition] === end)
  }

  it('a second one joins, works, and is killed: nothing is lost, order is kept, only the uncommitted comes twice', async () => {
    await prepare('joins')
    const first = instance('joins')
    await first.whenReady()
    await fill('joins.in')
    await eventually('the first works', async () => (await written('joins.out')) > 2_000, 60_000)
    const second = instance('joins')
    await second.whenReady()
    const atJoin = await written('joins.out')
    await fill('joins.in')
    await eventually('both work', async () => (await written('joins.out')) > atJoin + 2_000, 60_000)
    second.child.kill('SIGKILL')
    await eventually('all is committed', () => caughtUp('joins'), 120_000)
    const { missing, duplicates, restarts } = await judge('joins')
    assert.equal(missing, 0)
    assert.ok(duplicates <= 2 * 4_096 + 20_000, `${duplicates} came twice`)
    assert.ok(restarts <= PARTITIONS, `${restarts} times an output went back`)
    first.child.kill('SIGTERM')
    assert.equal(await first.ended, 0, first.log())
  })

  it('the broker is gone for 60 s in mid-run: the instance lives, waits, and goes on', async () => {
    await prepare('outage')
    const only = instance('outage')
    await only.whenReady()
    await fill('outage.in')
    await eventually('it works', async () => (await written('outage.out')) > 2_000, 60_000)
    await cluster.killBroker(0)
    const goneAt = performance.now()
    await eventually('the outage has lasted', () => performance.now() - goneAt > OUTAGE_MS, OUTAGE_MS + 10_000)
    assert.equal(await only.status('/livez'), 200)
    assert.match(only.log(), /degraded/)
    await cluster.startBroker(0)
    await eventually('all is committed', () => caughtUp('outage'), 120_000)
    const { missing, failed } = await judge('outage')
    assert.deepEqual({ missing, failed }, { missing: 0, failed: 0 })
    only.child.kill('SIGTERM')
    assert.equal(await only.ended, 0, only.log())
  })

  it('one that is stopped drains: what it wrote is committed, and its successor repeats nothing', async () => {
    await prepare('drains')
    const first = instance('drains')
    await first.whenReady()
    await fill('drains.in')
    await eventually('it works', async () => (await written('drains.out')) > 2_000, 60_000)
    first.child.kill('SIGTERM')
    assert.equal(await first.ended, 0, first.log())
    const committed = (await port.admin.committed('drains', 'drains.in')).reduce(
      (sum, offset) => sum + Math.max(0, offset),
      0,
    )
    assert.equal(await written('drains.out'), committed)
    const second = instance('drains')
    await eventually('all is committed', () => caughtUp('drains'), 120_000)
    const { missing, duplicates } = await judge('drains')
    assert.deepEqual({ missing, duplicates }, { missing: 0, duplicates: 0 })
    second.child.kill('SIGTERM')
    assert.equal(await second.ended, 0, second.log())
  })

  it('a function that never returns ends the process, which says where, with nothing committed', async () => {
    const module = ['test/support/endless-topology.ts', '--param', 'in=endless.in', '--param', 'out=endless.out']
    const common = [...module, '--brokers', cluster.brokers.join()]
    await applyTopics(cluster.brokers, ...module, '--partitions', String(PARTITIONS))
    const stalled = startKri(['run', ...common, '--http-port', '0', '--stall-ms', '2000'])
    started.push(stalled)
    await stalled.whenReady()
    await fill('endless.in')
    assert.equal(await stalled.ended, 'SIGKILL')
    assert.match(stalled.log(), /STALLED.*decoding endless\.in\/\d from offset 0/)
    assert.deepEqual(await port.admin.committed('endless', 'endless.in'), [0, 0, 0, 0])
  })

  it('a missing topic ends the start with its name and the remedy', async () => {
    const lost = instance('nowhere')
    assert.equal(await lost.ended, 1)
    assert.match(lost.log(), /TOPIC_MISSING.*nowhere\.in.*kri topics apply/s)
  })

  it('a corrupt model ends the start with its name', async () => {
    await prepare('corrupt')
    const args = flags('corrupt').map(arg => arg.replace('digits-mlp-v1', 'corrupt-truncated'))
    const broken = startKri(['run', ...args, '--http-port', 'off'])
    started.push(broken)
    assert.equal(await broken.ended, 1)
    assert.match(broken.log(), /MODEL_UNUSABLE.*corrupt-truncated\.onnx/s)
  })
})
