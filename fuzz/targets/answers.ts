/** What a broker answers to Fetch, Produce and OffsetFetch, and how a stream of bytes is cut into answers. */
import { AnswerFrames } from '../../src/kafkajs/answer-frames.ts'
import { fetchRequest } from '../../src/kafkajs/fetch-request.ts'
import { type OffsetFetchAnswer, offsetFetch } from '../../src/kafkajs/offset-fetch.ts'
import { produceRequest } from '../../src/kafkajs/produce-request.ts'
import { clientError } from '../../src/kafkajs/protocol-errors.ts'
import { RequestWriter } from '../../src/kafkajs/request-writer.ts'
import { valuesAt } from '../../test/support/record-batches.ts'
import { must, type Target, type TargetSource } from '../target.ts'

const FETCH = 0
const PRODUCE = 1
const FRAMES = 2
const OFFSETS = 3
const KINDS = 4
const MAX_ANSWER_BYTES = 512 * 1024 * 1024
const MOST_BYTES = 64 * 1024

const fetchAnswer = fetchRequest({
  partitions: [],
  isolation: 'read_committed',
  maxWaitMs: 0,
  minBytes: 1,
  maxBytes: 1,
})
const produceAnswer = produceRequest({ batches: [], timeoutMs: 1 })
const offsetsAnswer = offsetFetch.protocol({ version: 7 })({ groupId: 'g', topics: [] })

function fetched(): Buffer {
  const records = valuesAt(7, ['a', 'b'])
  const writer = new RequestWriter().int32(0).int16(0).int32(0).int32(1).string('topic').int32(2)
  for (const partition of [0, 1]) {
    writer
      .int32(partition)
      .int16(partition === 0 ? 0 : 1)
      .int64(9)
      .int64(9)
      .int64(0)
    writer
      .int32(1)
      .int64(5)
      .int64(3)
      .int32(-1)
      .int32(partition === 0 ? records.length : -1)
    if (partition === 0) for (const byte of records) writer.int8((byte << 24) >> 24)
  }
  return writer.take()
}

function produced(): Buffer {
  const writer = new RequestWriter().int32(1).string('topic').int32(2)
  for (const partition of [0, 1])
    writer
      .int32(partition)
      .int16(partition * 3)
      .int64(100)
      .int64(-1)
      .int64(0)
  return writer.int32(0).take()
}

function offsets(): Buffer {
  const writer = new RequestWriter().int8(0).int32(0).compactCount(1).compactString('topic').compactCount(2)
  for (const partition of [0, 1])
    writer
      .int32(partition)
      .int64(9)
      .int32(-1)
      .compactString('metadata')
      .int16(partition * 88)
      .int8(0)
  return writer.int8(0).int16(0).int8(0).take()
}

function framed(...answers: readonly Buffer[]): Buffer {
  return Buffer.concat(answers.flatMap(answer => [new RequestWriter().int32(answer.length).take(), answer]))
}

/** Pieces of a stream, of lengths that the bytes themselves give. */
function cut(bytes: Buffer): readonly Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + (bytes[at]! % 13)
    pieces.push(bytes.subarray(at, at + length))
    at += length
  }
  return pieces
}

/** Room for an answer is made when its size is known: of up to half a gibibyte, which is allowed, and slow to do each time. */
function withoutHuge(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  for (let at = 0; at + 4 <= copy.length; ) {
    const size = copy.readInt32BE(at)
    if (size < 0 || size > MAX_ANSWER_BYTES) break
    if (size > MOST_BYTES) copy.writeInt32BE(size % MOST_BYTES, at)
    at += 4 + copy.readInt32BE(at)
  }
  return copy
}

function readFrames(bytes: Buffer): string {
  const answers: string[] = []
  const frames = new AnswerFrames(answer => answers.push(answer.toString('hex')))
  frames.push(bytes)
  const inPieces: string[] = []
  const again = new AnswerFrames(answer => inPieces.push(answer.toString('hex')))
  for (const piece of cut(bytes)) again.push(piece)
  must(answers.join() === inPieces.join(), 'answers are the same, in however many pieces they come')
  return answers.join()
}

async function run(bytes: Buffer): Promise<void> {
  const body = bytes.subarray(1)
  const kind = (bytes[0] ?? 0) % KINDS
  try {
    if (kind === FRAMES) readFrames(withoutHuge(body))
    else if (kind === FETCH) {
      const { partitions } = await fetchAnswer.response.decode(body)
      const taken = partitions.reduce(
        (sum, { records, abortedTransactions }) => sum + records.length + 16 * abortedTransactions.length,
        0,
      )
      must(taken <= body.length && partitions.length <= body.length, 'no more than was sent')
    } else if (kind === OFFSETS) {
      const { responses } = (await offsetsAnswer.response.decode(body)) as OffsetFetchAnswer
      must(responses.flatMap(({ partitions }) => partitions).length <= body.length, 'no more partitions than were sent')
    } else {
      const { partitions } = await produceAnswer.response.decode(body)
      must(partitions.length <= body.length, 'no more partitions than were sent')
    }
  } catch (error) {
    // As a connection gives it to who asked.
    throw error instanceof Error && error.name === 'Violation' ? error : clientError(error, 'An answer')
  }
}

export const answers: TargetSource = {
  name: 'answers',
  about: 'answers of brokers to Fetch, Produce and OffsetFetch, and the frames that they come in',
  open: (): Target => ({
    seeds: [
      Buffer.concat([Buffer.of(FETCH), fetched()]),
      Buffer.concat([Buffer.of(PRODUCE), produced()]),
      Buffer.concat([Buffer.of(OFFSETS), offsets()]),
      Buffer.concat([Buffer.of(FRAMES), framed(Buffer.alloc(4), fetched(), produced())]),
    ],
    codes: ['BROKER_REFUSED', 'RECORDS_UNREADABLE'],
    run,
  }),
}
