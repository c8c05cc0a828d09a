// Instances that really halt, on real brokers, and the command that operators have for it.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { HealthReport } from '../../src/ops/run-health.ts'
import { applyTopics } from '../support/apply-topics.ts'
import { testCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { kriOnCluster } from '../support/kri-on-cluster.ts'
import { type KriProcess, startKri } from '../support/kri-process.ts'
import { sealedBatch } from '../support/record-batches.ts'

const { brokers, prefix, skip } = await testCluster()
const PARTITIONS = 2
/** Enough for a halt, in each partition. */
const BAD = 30
const GOOD = 20

describe('kri resume, with instances that halted', { skip, concurrency: 2 }, () => {
  const cluster = kriOnCluster('resume', brokers)
  const write = async (topic: string, value: string, count: number) => {
    const writer = cluster.port.writer()
    const record = { timestamp: Date.now(), key: Buffer.from('k'), value: Buffer.from(value), headers: [] }
    const records = Array.from({ length: count }, () => record)
    await writer.send(Array.from({ length: PARTITIONS }, (_, partition) => sealedBatch(records, topic, partition)))
    await writer.close()
  }
  const written = async (topic: string) =>
    (await cluster.port.admin.offsets(topic)).reduce((sum, { start, end }) => sum + end - start, 0)
  const committed = async (group: string, topic: string) =>
    (await cluster.port.admin.committed(group, topic)).reduce((sum, offset) => sum + Math.max(0, offset), 0)

  async function halted(name: string, ...more: readonly string[]) {
    const names = { prefix: `${prefix}${name}.`, in: `${prefix}${name}.in`, app: `${prefix}${name}.app` }
    const topology = ['test/support/once-topology.ts', `--param=prefix=${names.prefix}`]
    await applyTopics(brokers, ...topology, `--partitions=${PARTITIONS}`)
    const limits = ['--flood-min-records=20', '--session-timeout-ms=6000', '--http-port=0']
    const instance = cluster.kri('run', ...topology, ...limits, ...more)
    await instance.whenReady(60_000)
    await write(names.in, 'bad', BAD)
    return { ...names, instance }
  }
  const problems = async (instance: KriProcess) =>
    (JSON.parse(await instance.text('/readyz')) as Pick<HealthReport, 'problems'>).problems
  const halts = async (instance: KriProcess) =>
    Object.keys(await problems(instance)).filter(what => what.endsWith('halted')).length
  async function resume(url: string) {
    const process = startKri(['resume', `--http-port=${new URL(url).port}`, '--json'])
    assert.equal(await process.ended, 0, process.log())
    return JSON.parse(process.output()) as { resumed: boolean; reasons: Record<string, string> }
  }

  it('one goes on where it stood, and is not halted any more', async () => {
    const { instance, in: input, app, prefix: own } = await halted('one', '--max-in-flight-rows=8')
    await eventually('it halts', async () => (await halts(instance)) === 1, 60_000)
    assert.deepEqual([await instance.status('/readyz'), await instance.status('/livez')], [503, 200])
    await write(input, '5', GOOD)
    const url = /"url":"([^"]+)"/.exec(instance.log())![1]!
    const all = PARTITIONS * (BAD + GOOD)
    assert.ok((await committed(app, input)) < all)
    const first = await resume(url)
    assert.equal(first.resumed, true)
    assert.match(first.reasons.halted!, /TOO_MANY_DEAD_LETTERS.*a number that is none/s)
    // What is left of the bad ones may halt it once more.
    await eventually(
      'everything is done',
      async () => {
        if ((await halts(instance)) > 0) await resume(url)
        return (await committed(app, input)) === all
      },
      60_000,
    )
    await instance.whenReady()
    assert.deepEqual(await resume(url), { url: new URL(url).origin, resumed: false, reasons: {} })
    assert.equal(await written(`${own}app.classify.failed-preprocess`), PARTITIONS * BAD)
    await eventually('and comes out', async () => (await written(`${own}out`)) === PARTITIONS * GOOD, 30_000)
    instance.child.kill('SIGTERM')
    assert.equal(await instance.ended, 0, instance.log())
  })

  it('the parent of --workers passes it on to all of them', async () => {
    const { instance, in: input, app } = await halted('workers', '--workers=2', '--max-in-flight-rows=8')
    await eventually('both halt', async () => (await halts(instance)) === 2, 60_000)
    await write(input, '5', GOOD)
    const line = instance.log().split('\n')
    const { url } = JSON.parse(line.find(each => each.includes('health and metrics of all'))!) as { url: string }
    const { resumed, reasons } = await resume(url)
    assert.equal(resumed, true)
    assert.deepEqual(Object.keys(reasons).sort(), ['worker 0: halted', 'worker 1: halted'])
    await eventually(
      'everything is done',
      async () => {
        if ((await halts(instance)) > 0) await resume(url)
        return (await committed(app, input)) === PARTITIONS * (BAD + GOOD)
      },
      60_000,
    )
    await instance.whenReady()
    instance.child.kill('SIGTERM')
    assert.equal(await instance.ended, 0, instance.log())
  })
})
