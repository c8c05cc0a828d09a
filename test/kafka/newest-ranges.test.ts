import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { newestRanges } from '../../src/kafka/newest-ranges.ts'
import type { KafkaPort, ScanRange } from '../../src/kafka/port.ts'
import { readRecordBlock } from '../../src/kafka/record-batch-reader.ts'
import { plainRecord, sealedBatch, storedBatch } from '../support/record-batches.ts'

interface Stored {
  readonly offset: number
  readonly timestamp: number
}

/** Partitions that hold records at some of their offsets; a block per record, as the sparsest log would give. */
function portOf(
  partitions: readonly { readonly start: number; readonly end: number; readonly stored: readonly Stored[] }[],
) {
  let scanned = 0
  const port: Pick<KafkaPort, 'admin' | 'scan'> = {
    admin: { offsets: async () => partitions } as unknown as KafkaPort['admin'],
    async *scan(ranges: readonly ScanRange[]) {
      for (const { partition, from, to } of ranges) {
        for (const { offset, timestamp } of partitions[partition]!.stored) {
          if (offset < (from as number) || offset >= (to as number)) continue
          scanned++
          const { bytes } = sealedBatch([{ ...plainRecord('v'), timestamp }], 't', partition)
          yield readRecordBlock({
            ...{ topic: 't', partition, records: storedBatch(bytes, { baseOffset: offset }) },
            ...{ startOffset: offset, endOffset: offset + 1, abortedTransactions: [] },
          })
        }
      }
    },
  }
  return { port, scanned: () => scanned }
}

/** Offsets with a record, and how much later than the one before it was written. */
const partition = fc
  .uniqueArray(fc.tuple(fc.nat(300), fc.nat(5)), { maxLength: 30, selector: ([offset]) => offset })
  .map(rows => {
    let timestamp = 0
    const stored: Stored[] = []
    for (const [offset, later] of rows.sort(([a], [b]) => a - b)) {
      timestamp += later
      stored.push({ offset, timestamp })
    }
    return { start: 0, end: 301, stored }
  })

describe('the newest records of a topic', () => {
  test('are found however sparse the log is, as many as asked for and none that is older than one left out', async () => {
    const partitions = fc.array(partition, { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(partitions, fc.integer({ min: 1, max: 40 }), async (logs, count) => {
        const ranges = await newestRanges('t', count, portOf(logs).port)
        assert.deepEqual(
          ranges.map(({ partition, to }) => [partition, to]),
          logs.map(({ end }, i) => [i, end]),
        )
        const byTime = (a: number, b: number) => b - a
        const taken = logs.flatMap(({ stored }, i) => stored.filter(({ offset }) => offset >= ranges[i]!.from))
        const all = logs.flatMap(({ stored }) => stored.map(({ timestamp }) => timestamp)).sort(byTime)
        assert.deepEqual(taken.map(({ timestamp }) => timestamp).sort(byTime), all.slice(0, count))
      }),
    )
  })

  test('of a full log are found by reading its end alone', async () => {
    const stored = Array.from({ length: 1_000 }, (_, offset) => ({ offset, timestamp: offset }))
    const { port, scanned } = portOf([
      { start: 0, end: 1_000, stored },
      { start: 5, end: 5, stored: [] },
    ])
    const ranges = await newestRanges('t', 3, port)
    assert.deepEqual(
      ranges.map(({ from, to }) => [from, to]),
      [
        [997, 1_000],
        [5, 5],
      ],
    )
    assert.equal(scanned(), 3)
  })
})
