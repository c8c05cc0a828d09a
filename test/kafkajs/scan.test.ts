// Tables that are read to their end when compaction has thinned them: the end is an offset that no record may have.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BATCH, LENGTH_PREFIX } from '../../src/kafka/record-batch-format.ts'
import { AnswerReader } from '../../src/kafkajs/answer-reader.ts'
import type { Cluster } from '../../src/kafkajs/cluster.ts'
import type { FetchedPartition } from '../../src/kafkajs/fetch-request.ts'
import type { Protocol } from '../../src/kafkajs/internals.ts'
import { scan } from '../../src/kafkajs/scan.ts'
import type { WirePayload } from '../../src/kafkajs/wire-payload.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { endMarker, plainRecord, sealedBatch, storedBatch, valuesAt, valuesOf } from '../support/record-batches.ts'

/** A log of one partition: a fetch brings the batches that end at or behind the offset that was asked for. */
async function scanned(batches: readonly { readonly last: number; readonly bytes: Buffer }[], end: number) {
  const asked: number[] = []
  const send = async (protocol: Protocol<unknown>) => {
    const { encode } = protocol.request as unknown as { encode(): Promise<WirePayload> }
    const bytes = Buffer.concat((await encode()).chunks)
    const reader = new AnswerReader(bytes.subarray(25 + 4 + 2 + 't'.length + 4 + 8))
    const offset = reader.int64()
    asked.push(offset)
    assert.ok(asked.length < 20, `a scan that does not end: it asked for ${asked}`)
    const found = batches.find(({ last }) => last >= offset)
    const partition: FetchedPartition = {
      topic: 't',
      partition: 0,
      errorCode: 0,
      highWatermark: end,
      lastStableOffset: end,
      logStartOffset: 0,
      abortedTransactions: [],
      records: found?.bytes ?? Buffer.alloc(0),
    }
    return { errorCode: 0, partitions: [partition], clientSideThrottleTime: 0 }
  }
  const cluster = {
    track: () => false,
    refresh: async () => {},
    topic: () => ({ name: 't', errorCode: 0, leaders: [1], replicationFactor: 1 }),
    leader: () => 1,
    channel: () => ({ send }),
    closePurposes: () => {},
  } as unknown as Cluster
  const values: (string | undefined)[] = []
  const context = { cluster, clock: createManualClock(), random: () => 0.5, purpose: 'p' }
  for await (const block of scan(context, [{ topic: 't', partition: 0, from: 0, to: end }]))
    values.push(...valuesOf(block))
  return { values, asked }
}

/** A batch of which its header is left. */
function hollow(baseOffset: number, last: number) {
  const header = Buffer.from(sealedBatch([plainRecord('gone')]).bytes.subarray(0, BATCH.records))
  header.writeInt32BE(header.length - LENGTH_PREFIX, BATCH.length)
  return { last, bytes: storedBatch(header, { baseOffset, lastOffset: last, count: 0 }) }
}

describe('a scan to the end of a compacted log', () => {
  const kept = (baseOffset: number, value: string, last = baseOffset) => ({
    last,
    bytes: valuesAt(baseOffset, [value], { lastOffset: last }),
  })

  it('passes over gaps between batches and inside of them', async () => {
    const log = [kept(0, 'a', 9), kept(30, 'b', 39), kept(90, 'c')]
    assert.deepEqual((await scanned(log, 91)).values, ['a', 'b', 'c'])
  })

  it('ends behind a batch that compaction emptied', async () => {
    assert.deepEqual((await scanned([kept(0, 'a'), hollow(1, 20)], 21)).values, ['a'])
    assert.deepEqual((await scanned([hollow(0, 20)], 21)).values, [])
  })

  it('ends behind a batch whose last records are gone, and behind markers alone', async () => {
    assert.deepEqual((await scanned([kept(0, 'a', 50)], 51)).values, ['a'])
    const marker = { last: 1, bytes: endMarker('commit', 1, 7) }
    assert.deepEqual((await scanned([kept(0, 'a'), marker], 2)).values, ['a'])
    assert.deepEqual((await scanned([marker], 2)).values, [])
  })

  it('of a log that holds nothing asks for nothing', async () => {
    assert.deepEqual(await scanned([], 0), { values: [], asked: [] })
  })
})
