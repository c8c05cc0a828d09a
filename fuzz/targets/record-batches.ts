/** What a Fetch brings for a partition: batches, compressed or not, of transactions or not, with what the broker says was aborted. */

import { createRequire } from 'node:module'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import type { AbortedTransaction } from '../../src/kafka/aborted-transactions.ts'
import { crc32c } from '../../src/kafka/crc32c.ts'
import { readInt64Rounded, writeInt64 } from '../../src/kafka/int64.ts'
import { BATCH, LENGTH_PREFIX, MAGIC_V2 } from '../../src/kafka/record-batch-format.ts'
import { readRecordBlock } from '../../src/kafka/record-batch-reader.ts'
import type { RecordBlock } from '../../src/kafka/record-block.ts'
import {
  endMarker,
  plainRecord,
  recordsOf,
  sealedBatch,
  storedBatch,
  type TestRecord,
  valuesAt,
} from '../../test/support/record-batches.ts'
import type { Random } from '../random.ts'
import { must, type TargetSource } from '../target.ts'

const native = createRequire(import.meta.url)
const lz4 = native('lz4-napi') as { compressFrameSync(bytes: Buffer): Buffer }
const snappy = native('snappy') as { compressSync(bytes: Buffer): Buffer }
const COMPRESS: readonly ((bytes: Buffer) => Buffer)[] = [
  bytes => bytes,
  bytes => gzipSync(bytes, { level: 1 }),
  bytes => snappy.compressSync(bytes),
  bytes => lz4.compressFrameSync(bytes),
  bytes => zstdCompressSync(bytes),
]

/** Count of aborted transactions, 16 bytes for each, the offset that was asked for, the batches. */
function input(batches: readonly Buffer[], startOffset = 0, aborted: readonly AbortedTransaction[] = []): Buffer {
  const head = Buffer.alloc(1 + 16 * aborted.length + 8)
  let at = head.writeUInt8(aborted.length, 0)
  for (const { producerId, firstOffset } of aborted)
    at = writeInt64(head, writeInt64(head, at, producerId), firstOffset)
  writeInt64(head, at, startOffset)
  return Buffer.concat([head, ...batches])
}

function read(bytes: Buffer): { readonly block: RecordBlock; readonly startOffset: number } {
  const count = Math.min(bytes[0] ?? 0, Math.max(0, Math.floor((bytes.length - 9) / 16)))
  const headEnd = 1 + 16 * count
  const abortedTransactions = Array.from({ length: count }, (_, i) => ({
    producerId: readInt64Rounded(bytes, 1 + 16 * i),
    firstOffset: readInt64Rounded(bytes, 9 + 16 * i),
  }))
  const asked = bytes.length < headEnd + 8 ? 0 : readInt64Rounded(bytes, headEnd)
  const startOffset = Number.isSafeInteger(asked) && asked >= 0 ? asked : 0
  const records = bytes.subarray(Math.min(bytes.length, headEnd + 8))
  const block = readRecordBlock({ topic: 't', partition: 0, records, startOffset, endOffset: 0, abortedTransactions })
  return { block, startOffset }
}

/** Lengths and checksums as they must be; now and then with the records compressed. */
function repair(bytes: Buffer, random: Random): Buffer {
  if (random.onceIn(16)) return bytes
  const start = 1 + 16 * Math.min(bytes[0] ?? 0, Math.max(0, Math.floor((bytes.length - 9) / 16))) + 8
  const parts = [bytes.subarray(0, Math.min(start, bytes.length))]
  for (let at = start; at + BATCH.records <= bytes.length; ) {
    const claimed = at + LENGTH_PREFIX + bytes.readInt32BE(at + BATCH.length)
    const end = claimed >= at + BATCH.records && claimed <= bytes.length ? claimed : bytes.length
    parts.push(sealed(bytes.subarray(at, end), random))
    at = end
  }
  return Buffer.concat(parts)
}

function sealed(batch: Buffer, random: Random): Buffer {
  const attributes = batch.readInt16BE(BATCH.attributes)
  const codec = random.onceIn(6) ? 1 + random.below(4) : 0
  const records = codec === 0 ? batch.subarray(BATCH.records) : COMPRESS[codec]!(batch.subarray(BATCH.records))
  const whole = Buffer.concat([batch.subarray(0, BATCH.records), records])
  if (codec !== 0) whole.writeInt16BE((attributes & ~7) | codec, BATCH.attributes)
  if (!random.onceIn(32)) whole.writeInt8(MAGIC_V2, BATCH.magic)
  whole.writeInt32BE(whole.length - LENGTH_PREFIX, BATCH.length)
  whole.writeUInt32BE(crc32c(whole, BATCH.attributes, whole.length), BATCH.crc)
  return whole
}

const rich: readonly TestRecord[] = [
  {
    timestamp: 1_700_000_000_000,
    key: Buffer.from('key'),
    value: Buffer.from('value'),
    headers: [
      ['name', Buffer.from('of it')],
      ['none', null],
    ],
  },
  { timestamp: 1_700_000_000_250, key: null, value: null, headers: [] },
  { timestamp: 0, key: Buffer.alloc(0), value: Buffer.alloc(200, 7), headers: [['', Buffer.alloc(0)]] },
]
const transactional = (baseOffset: number, producerId: number) =>
  valuesAt(baseOffset, ['a', 'b'], { producerId, transactional: true })

function seeds(): readonly Buffer[] {
  const one = storedBatch(sealedBatch(rich).bytes, { baseOffset: 100 })
  const compressed = COMPRESS.slice(1).map((compress, i) => {
    const batch = sealedBatch(Array.from({ length: 12 }, () => plainRecord('much of the same'))).bytes
    const bytes = Buffer.concat([batch.subarray(0, BATCH.records), compress(batch.subarray(BATCH.records))])
    bytes.writeInt16BE(i + 1, BATCH.attributes)
    bytes.writeInt32BE(bytes.length - LENGTH_PREFIX, BATCH.length)
    return storedBatch(bytes, { baseOffset: 5 })
  })
  const overlapping = [
    transactional(0, 1),
    transactional(2, 2),
    endMarker('abort', 4, 2),
    transactional(5, 1),
    endMarker('abort', 7, 1),
    valuesAt(8, ['plain']),
    transactional(9, 1),
    endMarker('commit', 11, 1),
  ]
  const aborted = [
    { producerId: 2, firstOffset: 2 },
    { producerId: 1, firstOffset: 0 },
  ]
  return [
    input([one], 100),
    input([one, valuesAt(103, ['x', 'y'])], 101),
    input([
      valuesAt(0, ['x'], { lastOffset: 9, appendTime: 1_800_000_000_000 }),
      storedBatch(one, { baseOffset: 10, count: 0 }),
    ]),
    ...compressed.map(batch => input([batch])),
    input([compressed[0]!, one]),
    input(overlapping, 0, aborted),
    input(overlapping.slice(3), 5, aborted),
    input([one.subarray(0, 70)]),
  ]
}

/** What every block must keep to, whatever it was read from. */
function check(block: RecordBlock, startOffset: number, inputBytes: number): void {
  const { count, bytes, nextOffset } = block
  must(
    Number.isSafeInteger(nextOffset) && nextOffset >= startOffset,
    'the position does not go back, and stays below 2^53',
  )
  must(block.retainedBytes <= 64 * 1024 + 20 * inputBytes + 2 * bytes.length, 'memory in proportion to what was read')
  let before = startOffset - 1
  let end = 0
  for (let i = 0; i < count; i++) {
    const offset = block.offset(i)
    must(offset > before && offset < nextOffset, 'offsets rise, and stay below the next one')
    before = offset
    must(Number.isSafeInteger(block.timestamp(i)), 'timestamps are whole numbers')
    for (const [from, to] of [
      [block.keyStart(i), block.keyEnd(i)],
      [block.valueStart(i), block.valueEnd(i)],
      [block.headersStart(i), block.headersEnd(i)],
    ] as const) {
      if (from < 0) continue
      must(from >= end && to >= from && to <= bytes.length, 'ranges follow one another, inside the bytes')
      end = to
    }
  }
}

/** Written anew by our builder and read again, a record is the same. */
function checkRoundTrip(block: RecordBlock): void {
  const records = recordsOf(block)
  const first = records[0]!.timestamp
  if (records.some(({ timestamp }) => !Number.isSafeInteger(timestamp - first))) return
  const again = readRecordBlock({
    topic: 't',
    partition: 0,
    records: storedBatch(sealedBatch(records).bytes),
    startOffset: 0,
    endOffset: 0,
  })
  const shown = (record: TestRecord) =>
    `${record.timestamp} ${record.key?.toString('hex')} ${record.value?.toString('hex')} ${record.headers.map(([name, value]) => `${name}=${value?.toString('hex')}`)}`
  must(recordsOf(again).map(shown).join('\n') === records.map(shown).join('\n'), 'written again, records are the same')
}

export const recordBatches: TargetSource = {
  name: 'record-batches',
  about: 'record batches as a Fetch brings them: lengths, counts, compression, transactions, headers',
  open: () => ({
    seeds: seeds(),
    codes: ['RECORDS_UNREADABLE'],
    repair,
    run(bytes) {
      const { block, startOffset } = read(bytes)
      check(block, startOffset, bytes.length)
      if (block.count > 0 && block.count <= 64) checkRoundTrip(block)
    },
  }),
}
