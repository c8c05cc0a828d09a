// Two parts under exactly_once on a real broker: what is read afterwards holds every output once and in order, whoever was
// killed in between.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { applyPlan, planTopics } from '../../src/kafka/topics.ts'
import { testCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { kriOnCluster } from '../support/kri-on-cluster.ts'
import type { KriProcess } from '../support/kri-process.ts'
import onceTopology from '../support/once-topology.ts'
import { sealedBatch } from '../support/record-batches.ts'

const PARTITIONS = 3
const { brokers, prefix: own, skip } = await testCluster()

describe('exactly once', { skip, timeout: 180_000 }, () => {
  const cluster = kriOnCluster('once', brokers)
  const run = (prefix: string, ...args: readonly string[]) =>
    cluster.kri(
      ...['run', 'test/support/once-topology.ts', `--param=prefix=${prefix}`, '--processing-guarantee=exactly_once'],
      ...['--http-port=0', '--session-timeout-ms=6000', ...args],
    )
  const apply = (prefix: string) => {
    const defaults = { partitions: PARTITIONS, replicationFactor: 1, minIsr: 1, brokerCount: 1 }
    return applyPlan(planTopics(onceTopology.build({ prefix }), [], defaults), cluster.port.admin)
  }

  /** What becomes of the record with this number. */
  const fateOf = (i: number) => (i % 10 === 3 ? 'drop' : i % 25 === 7 ? 'bad' : String(i))

  /** Records [from, to), by turns over the partitions. */
  async function write(prefix: string, from: number, to: number): Promise<void> {
    const writer = cluster.port.writer()
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const numbers = Array.from({ length: to - from }, (_, i) => from + i).filter(i => i % PARTITIONS === partition)
      const records = numbers.map(i => {
        return { timestamp: Date.now(), key: Buffer.from(`k${i}`), value: Buffer.from(fateOf(i)), headers: [] }
      })
      await writer.send([sealedBatch(records, `${prefix}in`, partition)])
    }
    await writer.close()
  }

  /** `partition key` of everything that readers see, by partition and offset. */
  async function read(topic: string): Promise<string[]> {
    const ranges = Array.from({ length: PARTITIONS }, (_, partition) => ({
      ...{ topic, partition, from: 'earliest' as const, to: 'end' as const },
    }))
    const found: string[] = []
    for await (const block of cluster.port.scan(ranges))
      for (let i = 0; i < block.count; i++) found.push(`${block.partition} ${block.key(i)}`)
    return found
  }

  /** The same of all records [0, to) with such a fate. */
  const expected = (to: number, isWanted: (fate: string) => boolean) =>
    Array.from({ length: PARTITIONS }, (_, partition) =>
      Array.from({ length: to }, (_, i) => i)
        .filter(i => i % PARTITIONS === partition && isWanted(fateOf(i)))
        .map(i => `${partition} k${i}`),
    ).flat()

  async function judge(prefix: string, records: number): Promise<void> {
    const good = expected(records, fate => fate !== 'bad' && fate !== 'drop')
    assert.deepEqual(await read(`${prefix}between`), good)
    assert.deepEqual(await read(`${prefix}out`), good)
    const letters = await read(`${prefix}app.classify.failed-preprocess`)
    assert.deepEqual(
      letters,
      expected(records, fate => fate === 'bad'),
    )
  }

  const caughtUp = async (prefix: string, group: string, topic: string) => {
    const ends = await cluster.port.admin.offsets(`${prefix}${topic}`)
    const committed = await cluster.port.admin.committed(`${prefix}${group}`, `${prefix}${topic}`)
    return ends.every(({ end }, partition) => committed[partition] === end)
  }
  const allDone = async (prefix: string) =>
    (await caughtUp(prefix, 'app', 'in')) && (await caughtUp(prefix, `app.${prefix}between`, 'between'))
  const ended = async (process: KriProcess) => {
    assert.equal(await process.ended, 0, process.log())
    return process.output()
  }

  it('--until-end ends when the last part has written; outputs, dead letters and offsets are exact', async () => {
    const prefix = `${own}end.`
    const RECORDS = 3_000
    await apply(prefix)
    await write(prefix, 0, RECORDS)
    const process = run(prefix, '--until-end', '--json')
    const summary = JSON.parse(await ended(process))
    await judge(prefix, RECORDS)
    assert.equal(await allDone(prefix), true)
    const bad = expected(RECORDS, fate => fate === 'bad').length
    const dropped = expected(RECORDS, fate => fate === 'drop').length
    assert.equal(summary.reachedEnd, true)
    assert.equal(summary.deadLetters.preprocess, bad)
    assert.equal(summary.dropped, dropped)
    assert.match(process.log(), /"transactionalIds":"[^"]*app-<topic>-<partition>"/)
  })

  it('killed with SIGKILL in the midst of a transaction, beside a second instance: nothing twice, nothing missing', async () => {
    const prefix = `${own}killed.`
    await apply(prefix)
    const [first, second] = [run(prefix), run(prefix)]
    await Promise.all([first.whenReady(), second.whenReady()])
    assert.match(await first.text('/readyz'), /"processingGuarantee":"exactly_once"/)
    const isOpen = async () => /^kri_transactions_open\{.*\} [1-9]/m.test(await first.text('/metrics'))
    let written = 0
    // What it has may be through before it is seen at it.
    for (let round = 0, seen = false; round < 20 && !seen; round++) {
      await write(prefix, written, written + 3_000)
      written += 3_000
      for (let look = 0; look < 10 && !seen; look++) seen = await isOpen()
    }
    first.child.kill('SIGKILL')
    await write(prefix, written, written + 900)
    written += 900
    await eventually('all is committed', () => allDone(prefix), 60_000)
    second.child.kill('SIGTERM')
    await ended(second)
    await judge(prefix, written)
  })
})
