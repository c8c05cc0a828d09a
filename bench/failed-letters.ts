/** Dead letters as an application writes them: real source records, and the headers that our own writer of dead letters gives them. */
import { RunInferenceError } from '../src/errors.ts'
import { writeInt64 } from '../src/kafka/int64.ts'
import type { KafkaPort } from '../src/kafka/port.ts'
import { emptyRecord, RecordBatchBuilder, type SealedBatch } from '../src/kafka/record-batch-builder.ts'
import { readRecordBlock } from '../src/kafka/record-batch-reader.ts'
import type { RecordBlock } from '../src/kafka/record-block.ts'
import { encodeHeaders } from '../src/kafka/record-headers.ts'
import { deadLetterTopic, type FailedStage } from '../src/kafka/topic-names.ts'
import { encodeFailure } from '../src/pipeline/dead-letter.ts'
import type { WorkBlock } from '../src/pipeline/work-block.ts'
import { type FillRecord, PLAIN_SHAPE } from './input.ts'

const BLOCK_ROWS = 2_000
const MAX_BATCH_BYTES = 900_000
const MAX_LETTER_BYTES = 1_048_588

interface Reason {
  readonly stage: FailedStage
  readonly make: (i: number) => RunInferenceError
  readonly modelId?: string
  /** Of a hundred letters. */
  readonly share: number
}

const MODEL = 'models/digits-mlp-v2.onnx'
const thrown = (code: 'FUNCTION_THREW' | 'POSTPROCESS_THREW', error: Error) => RunInferenceError.from(error, code)
/** What differs from record to record is in all messages, so each has to be read to be counted. */
export const REASONS: readonly Reason[] = [
  {
    stage: 'inference',
    make: i => new RunInferenceError('SHAPE_MISMATCH', `expected float32[64], got float32[${i % 977}]`),
    ...{ modelId: MODEL, share: 46 },
  },
  {
    stage: 'inference',
    make: i =>
      new RunInferenceError('INFERENCE_FAILED', `Gather: index ${i} is out of bounds, axis 0, node 'emb_${i}'`),
    ...{ modelId: MODEL, share: 20 },
  },
  {
    stage: 'inference',
    make: i => new RunInferenceError('TIMEOUT', `took longer than ${1_000 + (i % 50)} ms`),
    share: 2,
  },
  {
    stage: 'preprocess',
    make: i => new RunInferenceError('DECODE_SIZE', `a row has ${i % 255} bytes, and float32[64] needs 256`),
    share: 12,
  },
  {
    stage: 'preprocess',
    make: i => thrown('FUNCTION_THREW', new TypeError(`Cannot read properties of undefined (reading 'field${i}')`)),
    share: 12,
  },
  {
    stage: 'postprocess',
    make: i => thrown('POSTPROCESS_THREW', new RangeError(`no label for class ${i} of order "${i.toString(36)}"`)),
    ...{ modelId: MODEL, share: 8 },
  },
]

export interface LettersWanted {
  readonly port: KafkaPort
  readonly applicationId: string
  readonly topology: string
  readonly step: string
  readonly source: string
  readonly fill: FillRecord
  readonly records: number
}

/** Writes so many dead letters, of all reasons in turn, over the partitions of the source. Their source records exist nowhere else. */
export async function writeDeadLetters({ port, records, ...wanted }: LettersWanted): Promise<void> {
  const writer = port.writer()
  const { partitions } = PLAIN_SHAPE
  const builders = new Map<string, RecordBatchBuilder>()
  const bases = new Array<number>(partitions).fill(0)
  let sealed: SealedBatch[] = []
  const seal = async (builder: RecordBatchBuilder) => {
    // One batch of a partition in a send.
    if (sealed.some(({ topic, partition }) => topic === builder.topic && partition === builder.partition)) await flush()
    sealed.push(builder.seal())
  }
  const flush = async () => {
    const results = await writer.send(sealed)
    const refused = results.find(result => result.outcome !== 'acknowledged')
    if (refused) throw new Error(`a batch of dead letters was not written: ${refused.reason}`)
    sealed = []
  }
  for (let first = 0; first < records; first += BLOCK_ROWS) {
    const partition = (first / BLOCK_ROWS) % partitions
    const rows = Math.min(BLOCK_ROWS, records - first)
    const block = sourceBlock(wanted, partition, bases[partition]!, first, rows)
    bases[partition]! += rows
    for (let row = 0; row < rows; row++) {
      const i = first + row
      const reason = reasonOf(i)
      const topic = deadLetterTopic(wanted.topology, wanted.step, reason.stage)
      const id = `${topic}/${partition}`
      const builder = builders.get(id) ?? new RecordBatchBuilder(topic, partition, MAX_BATCH_BYTES)
      builders.set(id, builder)
      const record = letterRecord(wanted, block, row, reason, i)
      if (builder.append(record)) continue
      await seal(builder)
      builder.append(record)
    }
  }
  for (const builder of builders.values()) if (builder.count > 0) await seal(builder)
  await flush()
  await writer.close()
}

function reasonOf(i: number): Reason {
  // 37 and 100 have no divisor in common, so a hundred letters in a row have each place once.
  let place = (i * 37) % 100
  for (const reason of REASONS) {
    place -= reason.share
    if (place < 0) return reason
  }
  throw new Error('the shares of the reasons are not a hundred')
}

/** Rows of the source, as a fetch brings them. */
function sourceBlock(
  { source, fill }: Pick<LettersWanted, 'source' | 'fill'>,
  partition: number,
  baseOffset: number,
  first: number,
  rows: number,
): RecordBlock {
  const builder = new RecordBatchBuilder(source, partition, 2 ** 30)
  const record = emptyRecord()
  const carried = encodeHeaders([
    ['traceparent', Buffer.from('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01')],
  ])
  Object.assign(record, { headers: carried, headersEnd: carried.length, headerCount: 1 })
  for (let row = 0; row < rows; row++) {
    record.timestamp = Date.now()
    fill(record, first + row)
    builder.append(record)
  }
  const { bytes } = builder.seal()
  writeInt64(bytes, 0, baseOffset)
  const offsets = { startOffset: baseOffset, endOffset: baseOffset + rows }
  return readRecordBlock({ topic: source, partition, records: bytes, ...offsets, checkCrc: false })
}

function letterRecord(
  { applicationId, step }: Pick<LettersWanted, 'applicationId' | 'step'>,
  block: RecordBlock,
  row: number,
  { stage, make, modelId }: Reason,
  i: number,
) {
  const error = make(i)
  const point = { topic: '', stage, step, node: `step ${step}`, listeners: [] }
  const failure = { point, index: stage === 'inference' ? -1 : 0, error, modelId }
  // What the writer of dead letters reads of a block that is no replay and no topic between parts.
  const work = { block, flow: {} } as unknown as WorkBlock
  const { headers } = encodeFailure(applicationId, Date.now(), work, row, failure, MAX_LETTER_BYTES)
  const own = encodeHeaders(headers)
  const { bytes } = block
  return {
    timestamp: Date.now(),
    ...{ key: bytes, keyStart: block.keyStart(row), keyEnd: block.keyEnd(row) },
    ...{ value: bytes, valueStart: block.valueStart(row), valueEnd: block.valueEnd(row) },
    ...{ headers: bytes, headersStart: block.headersStart(row), headersEnd: block.headersEnd(row) },
    headerCount: block.headerCount(row),
    ...{ ownHeaders: own, ownHeadersStart: 0, ownHeadersEnd: own.length, ownHeaderCount: headers.length },
  }
}
