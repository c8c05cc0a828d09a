// What could make a replay write letters twice, or never: what comes in its way at the wrong time.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { scanLetters } from '../../src/dead-letters/letter-scan.ts'
import type { KafkaPort, ScanRange } from '../../src/kafka/port.ts'
import { letterRecords } from '../support/letter-blocks.ts'
import { sealedBatch } from '../support/record-batches.ts'
import { keysOf, LETTERS, numbered, REPLAY, replayWorld } from '../support/replay-world.ts'

/** A scan that its caller ends, ends as if all had been read: a real one may. */
function endingEarly(port: KafkaPort, before: (ranges: readonly ScanRange[]) => void = () => {}): KafkaPort {
  return {
    ...port,
    async *scan(ranges, { signal } = {}) {
      before(ranges)
      if (signal?.aborted) return
      for await (const block of port.scan(ranges)) {
        yield block
        if (signal?.aborted) return
      }
    },
  }
}

describe('a replay that is ended at the wrong time', () => {
  it('R4 leaves no letter as lost whose value was just being read', async () => {
    const value = 'a long one'
    const sha256 = createHash('sha256').update(value).digest('hex')
    const leftOut = { 'value-bytes': '10', 'value-sha256': sha256, 'original-partition': '1', 'original-offset': '0' }
    const { port, start, run, over, instance, written } = await replayWorld([])
    await instance()
    const record = { timestamp: 1, key: null, value: Buffer.from(value), headers: [] }
    await port.writer().send([sealedBatch([record], 'orders', 1)])
    const letters = [{ key: 'large', value: null, facts: leftOut }, { key: 'small' }]
    await port.writer().send([sealedBatch(letterRecords(letters), LETTERS, 0)])
    const ctrlC = new AbortController()
    const interrupted = endingEarly(port, ranges => ranges.some(({ topic }) => topic === 'orders') && ctrlC.abort())
    const first = await over(start({}, { limit: 1 }, { port: interrupted, signal: ctrlC.signal }))
    assert.deepEqual([first.end, first.counts.lost], ['stopped', 0])
    const { counts } = await run()
    assert.deepEqual(counts, { replayed: 2, parked: 0, lost: 0 })
    assert.deepEqual(keysOf(await written(REPLAY)), ['large', 'small'])
  })

  it('a scan of letters that is ended counts nothing as if it were all', async () => {
    const { port } = await replayWorld(numbered(9))
    const ctrlC = new AbortController()
    const ranges = [{ topic: LETTERS, partition: 0, from: 0, to: 3 }]
    const scan = { port: endingEarly(port), ranges, selection: {}, signal: ctrlC.signal }
    await assert.rejects(
      scanLetters(scan, () => ctrlC.abort()),
      { code: 'CLOSED' },
    )
  })
})
