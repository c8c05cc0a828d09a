/**
 * Headers of source records on their way: carried over, left out where they pretend to be ours, believed where only the
 * application writes (replay topics, topics between parts).
 */

import { RunInferenceError } from '../../src/errors.ts'
import { from, utf8 } from '../../src/index.ts'
import { FetchedBlock, INDEX_STRIDE } from '../../src/kafka/fetched-block.ts'
import { RecordBatchBuilder } from '../../src/kafka/record-batch-builder.ts'
import { readRecordBlock } from '../../src/kafka/record-batch-reader.ts'
import type { Header, RecordBlock } from '../../src/kafka/record-block.ts'
import { encodeHeaders, parseHeaders } from '../../src/kafka/record-headers.ts'
import { CarriedRecord } from '../../src/pipeline/carried-record.ts'
import { encodeFailure } from '../../src/pipeline/dead-letter.ts'
import { FailurePoints } from '../../src/pipeline/failure-points.ts'
import { PartitionFlow } from '../../src/pipeline/partition-flow.ts'
import { ReplayMarks } from '../../src/pipeline/replay-marks.ts'
import { replaysOf } from '../../src/pipeline/replays.ts'
import { WorkBlock } from '../../src/pipeline/work-block.ts'
import { topology } from '../../src/topology.ts'
import { digitTopology } from '../../test/support/digit-topology.ts'
import { storedBatch } from '../../test/support/record-batches.ts'
import { must, type TargetSource } from '../target.ts'

const MAX_DEAD_LETTER = 1_000_000
const OFFSET = 41

/** Which topic it comes from, how many headers there are said to be, their bytes. */
function inputOf(place: number, headers: readonly Header[]): Buffer {
  return Buffer.concat([Buffer.of(place, headers.length), encodeHeaders(headers)])
}

function blockOf(bytes: Buffer): RecordBlock {
  const start = Math.min(2, bytes.length)
  const index = new Int32Array(INDEX_STRIDE).fill(-1)
  index.set([start, bytes.length, bytes[1] ?? 0], 4)
  return new FetchedBlock({
    topic: 'in',
    partition: 3,
    count: 1,
    bytes,
    nextOffset: OFFSET + 1,
    endOffset: OFFSET + 1,
    retainedBytes: bytes.length,
    index,
    offsets: Float64Array.of(OFFSET),
    timestamps: Float64Array.of(1_700_000_000_000),
  })
}

const header = (name: string, value: string | null): Header => [name, value === null ? null : Buffer.from(value)]
const replayed = [
  header('kri-step', 'classify'),
  header('kri-node', 'step classify'),
  header('kri-stage', 'inference'),
  header('kri-original-topic', 'first'),
  header('kri-original-partition', '9'),
  header('kri-original-offset', '1234567'),
  header('kri-replay-count', '2'),
  header('trace', 'x'),
]
const SEEDS = [0, 1, 2, 3].flatMap(place => [
  inputOf(place, [
    header('traceparent', '00-ab-cd-01'),
    header('kri-source', 'forged/0/0'),
    header('kri-origin', 'first/1/2'),
    header('none', null),
  ]),
  inputOf(place, replayed),
  inputOf(place, []),
])

const shown = (headers: readonly Header[]) =>
  headers.map(([name, value]) => `${name}=${value?.toString('hex') ?? null}`).join('\n')
const isOurs = ([name]: Header) => name.startsWith('kri-')
const isLegible = ([name]: Header) => !name.includes('\ufffd')

/** The record as it would stand in the output topic. */
function written(
  carried: CarriedRecord,
  work: WorkBlock,
  between: boolean,
  ownHeaders?: readonly Header[],
): readonly Header[] {
  const record = carried.take(work, 0, between)
  if (ownHeaders) {
    record.ownHeaders = encodeHeaders(ownHeaders)
    record.ownHeadersStart = 0
    record.ownHeadersEnd = record.ownHeaders.length
    record.ownHeaderCount = ownHeaders.length
  }
  const builder = new RecordBatchBuilder('out', 0, 2 ** 30)
  builder.append({ ...record, key: null, value: null, timestamp: 1 })
  return readRecordBlock({
    topic: 'out',
    partition: 0,
    records: storedBatch(builder.seal().bytes),
    startOffset: 0,
    endOffset: 0,
  }).headers(0)
}

export const headers: TargetSource = {
  name: 'headers',
  about: 'headers of records from outside: carried over, forged, of replayed dead letters',
  open() {
    const graph = digitTopology()
    const points = new FailurePoints(graph)
    const bare = topology('bare', [
      from('in', { key: utf8(), value: utf8() }).to('out', { key: utf8(), value: utf8() }),
    ])
    const marks = [new ReplayMarks(graph, [], points), new ReplayMarks(bare, [], new FailurePoints(bare))]
    const sources = [graph.sources[0]!, bare.sources[0]!]
    const failure = {
      point: points.ofStep(graph.steps[0]!, 'inference'),
      index: -1,
      error: new RunInferenceError('INFERENCE_FAILED', 'refused'),
      modelId: 'm',
    }
    return {
      seeds: SEEDS,
      tokens: [...replayed, header('kri-origin', 'a/b/c'), header('kri-', null), header('traceparent', '')].map(each =>
        encodeHeaders([each]),
      ),
      codes: ['RECORDS_UNREADABLE'],
      run(bytes) {
        const isReplay = ((bytes[0] ?? 0) & 1) === 1
        const isBetween = ((bytes[0] ?? 0) & 2) === 2
        const block = blockOf(bytes)
        const given = block.headers(0)
        must(
          shown(parseHeaders(encodeHeaders(given), 0, encodeHeaders(given).length, given.length)) === shown(given),
          'headers that were read are written the same',
        )
        const flow = new PartitionFlow({ topic: 'in', partition: 3, epoch: 1, position: OFFSET }, isReplay, isBetween)
        const work = new WorkBlock(block, flow, 0, 0)
        const output = written(new CarriedRecord(true), work, false)
        checkOutput(output, given, isReplay, isBetween)
        const { headers: own } = encodeFailure('app', 7, work, 0, failure, MAX_DEAD_LETTER)
        checkDeadLetter(written(new CarriedRecord(true), work, false, own), given)
        for (const [i, mark] of marks.entries()) replaysOf(block, all => mark.of(sources[i]!, all))
      },
    }
  },
}

function checkOutput(output: readonly Header[], given: readonly Header[], isReplay: boolean, isBetween: boolean): void {
  const kept = given.filter(each => !isOurs(each))
  if (kept.every(isLegible))
    must(shown(output.filter(each => !isOurs(each))) === shown(kept), 'what is not ours is carried over as it is')
  must(output.filter(([name]) => name === 'kri-source').length === 1, 'an output says once where it comes from')
  must(
    output.at(-1 - Number(isBetween))?.[1]?.toString() === `in/3/${OFFSET}`,
    'an output comes from where its record was read',
  )
  must(output.filter(isOurs).length === (isBetween ? 2 : 1), 'an output has no other header of ours')
  if (!isBetween) return
  const known = given.findLast(([name]) => name === 'kri-origin')?.[1]
  const origin = output.at(-1)?.[1]?.toString()
  if (known) must(origin === known.toString(), 'between parts, the first origin stays')
  else if (!isReplay) must(origin === `in/3/${OFFSET}`, 'without one, the origin is where the record was read')
}

function checkDeadLetter(letter: readonly Header[], given: readonly Header[]): void {
  const ours = letter.filter(isOurs).map(([name]) => name)
  must(new Set(ours).size === ours.length, 'headers of ours are replaced, never appended')
  must(
    letter.length - ours.length === given.filter(each => !isOurs(each)).length,
    'a dead letter has the headers of its record',
  )
  must(letter.find(([name]) => name === 'kri-code')?.[1]?.toString() === 'INFERENCE_FAILED', 'a dead letter says why')
}
