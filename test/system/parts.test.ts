// Two parts of one topology on real brokers: in one process, in two, and when one of these is killed.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { applyTopics } from '../support/apply-topics.ts'
import { testCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { kriOnCluster } from '../support/kri-on-cluster.ts'
import type { KriProcess } from '../support/kri-process.ts'
import { sealedBatch } from '../support/record-batches.ts'

const PARTITIONS = 3
const { brokers, prefix: own, skip } = await testCluster()

describe('parts of a topology', { skip, timeout: 180_000 }, () => {
  const cluster = kriOnCluster('parts', brokers)
  const topologyOf = (prefix: string) => ['test/support/words-topology.ts', `--param=prefix=${prefix}`]
  const run = (prefix: string, ...args: readonly string[]) =>
    cluster.kri('run', ...topologyOf(prefix), ...args, '--http-port=0', '--session-timeout-ms=6000')
  const ended = async (process: KriProcess, code = 0): Promise<string> => {
    assert.equal(await process.ended, code, process.log())
    return process.output()
  }
  const apply = (prefix: string) => applyTopics(brokers, ...topologyOf(prefix), `--partitions=${PARTITIONS}`)

  /** Lines of three words, every eleventh with a bad one. */
  async function write(prefix: string, from: number, to: number): Promise<void> {
    const writer = cluster.port.writer()
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const lines = Array.from({ length: to - from }, (_, i) => from + i).filter(i => i % PARTITIONS === partition)
      const records = lines.map(i => ({
        timestamp: Date.now(),
        key: Buffer.from(`line${i}`),
        value: Buffer.from(`w${i % 7} ${i % 11 === 0 ? 'bad' : `v${i % 5}`} u${i}`),
        headers: [],
      }))
      await writer.send([sealedBatch(records, `${prefix}lines`, partition)])
    }
    await writer.close()
  }

  async function read(prefix: string, topic: string): Promise<string[]> {
    const ranges = Array.from({ length: PARTITIONS }, (_, partition) => ({
      ...{ topic: `${prefix}${topic}`, partition, from: 'earliest' as const, to: 'end' as const },
    }))
    const found: string[] = []
    for await (const block of cluster.port.scan(ranges))
      for (let i = 0; i < block.count; i++) found.push(`${block.partition} ${block.key(i)} ${block.value(i)}`)
    return found
  }

  const LINES = 330
  /** Of each line three words, but for bad ones. */
  const WORDS = 3 * LINES - LINES / 11

  it('in one process, --until-end: everything has come out of the last part, and each group has committed', async () => {
    const prefix = `${own}whole.`
    await apply(prefix)
    await write(prefix, 0, LINES)
    const summary = JSON.parse(await ended(run(prefix, '--until-end', '--json')))
    assert.equal(summary.reachedEnd, true)
    assert.equal(summary.records, LINES + WORDS)
    assert.equal(summary.deadLetters.preprocess, LINES / 11)
    assert.equal((await read(prefix, 'counted')).length, WORDS)
    const committed = async (group: string, topic: string) =>
      (await cluster.port.admin.committed(`${prefix}${group}`, `${prefix}${topic}`)).reduce(
        (a, b) => a + Math.max(0, b),
        0,
      )
    assert.equal(await committed('app', 'lines'), LINES)
    assert.equal(await committed(`app.${prefix}words`, 'words'), WORDS)
    assert.equal(await committed('app', 'words'), 0)
  })

  it('in two processes, one after the other: what one process gives, in the same partitions', async () => {
    const prefix = `${own}apart.`
    await apply(prefix)
    await write(prefix, 0, LINES)
    for (const part of ['lines', 'words']) await ended(run(prefix, '--part', `${prefix}${part}`, '--until-end'))
    for (const topic of ['words', 'counted']) {
      assert.deepEqual((await read(prefix, topic)).toSorted(), (await read(`${own}whole.`, topic)).toSorted())
    }
  })

  it('killed with SIGKILL in mid-run, each in its turn: nothing is lost', async () => {
    const prefix = `${own}killed.`
    await apply(prefix)
    const start = (part: string) => run(prefix, '--part', `${prefix}${part}`)
    const parts = { lines: start('lines'), words: start('words') }
    await Promise.all(Object.values(parts).map(process => process.whenReady()))
    let written = 0
    const more = async (lines: number) => {
      await write(prefix, written, written + lines)
      written += lines
    }
    for (const part of ['words', 'lines'] as const) {
      await more(LINES / 3)
      const before = (await read(prefix, 'counted')).length
      await eventually('it is at work', async () => (await read(prefix, 'counted')).length > before, 30_000)
      await more(LINES / 6)
      parts[part].child.kill('SIGKILL')
      await parts[part].ended
      parts[part] = start(part)
    }
    const count = async () => new Set(await read(prefix, 'counted')).size
    await eventually('everything has come out', async () => (await count()) >= WORDS, 60_000)
    assert.deepEqual(
      [...new Set(await read(prefix, 'counted'))].toSorted(),
      (await read(`${own}whole.`, 'counted')).toSorted(),
    )
    for (const process of Object.values(parts)) {
      process.child.kill('SIGTERM')
      await ended(process)
    }
  })
})
