/** Blocks with gaps, keys, headers and timestamps, as a fetch would bring them, and work on them, for tests of the pipeline. */

import { readRecordBlock } from '../../src/kafka/record-batch-reader.ts'
import type { Header, RecordBlock } from '../../src/kafka/record-block.ts'
import { PartitionFlow } from '../../src/pipeline/partition-flow.ts'
import { WorkBlock } from '../../src/pipeline/work-block.ts'
import { sealedBatch, storedBatch } from './record-batches.ts'

export interface SourceRecord {
  readonly offset: number
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly Header[]
}

/** One record of a source; what is not said is plain. */
export function sourceRecord(offset: number, given: Partial<SourceRecord> = {}): SourceRecord {
  return { offset, timestamp: 1_000, key: null, value: Buffer.from(`value ${offset}`), headers: [], ...given }
}

/** Records with offsets in rising order; gaps are what compaction and control records leave. */
export function blockOf(
  records: readonly SourceRecord[],
  given: {
    readonly topic?: string
    readonly partition?: number
    readonly startOffset?: number
    readonly nextOffset?: number
  } = {},
): RecordBlock {
  const { topic = 'in', partition = 0 } = given
  const startOffset = given.startOffset ?? records[0]?.offset ?? 0
  const last = (records.at(-1)?.offset ?? startOffset - 1) + 1
  const nextOffset = given.nextOffset ?? last
  const batches = records.map((record, i) => {
    const isLast = i === records.length - 1
    const lastOffset = isLast ? nextOffset - 1 : record.offset
    return storedBatch(sealedBatch([record], topic, partition).bytes, { baseOffset: record.offset, lastOffset })
  })
  const bytes = Buffer.concat(batches)
  return readRecordBlock({ topic, partition, records: bytes, startOffset, endOffset: nextOffset })
}

/** A partition that is owned from this position on. */
export function flowOf(topic = 'in', partition = 0, position = 0): PartitionFlow {
  return new PartitionFlow({ topic, partition, epoch: 1, position }, false)
}

/** Work on a block, queued in its flow. */
export function workOf(block: RecordBlock, flow: PartitionFlow, sinks = 1): WorkBlock {
  const work = new WorkBlock(block, flow, sinks, 0)
  flow.blocks.push(work)
  return work
}

/** Puts an output of one row into the column of a sink; `null` is a tombstone. */
export function putOutput(work: WorkBlock, sink: number, row: number, value: Buffer | null): void {
  const column = work.column(sink)
  if (value === null) {
    column.setNull(row)
    return
  }
  column.reserve(value.length)
  value.copy(column.arena, column.used)
  column.seal(row, column.used + value.length)
}
