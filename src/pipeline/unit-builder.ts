/**
 * Cuts commit units: the outputs of the longest finished run of rows of one partition, for all their topics, with the
 * offset to commit behind them. A unit is what a transaction carries; at-least-once writes it and commits later.
 *
 * U1. Rows leave in source order; of one row, outputs leave in the order of the outlets, of one outlet in that of the elements (I2).
 * U2. A unit holds whole rows only: a row's outputs are never split over two units.
 * U3. `nextOffset` is the lowest unfinished offset, or the block's own next offset behind its last row.
 * U4. A unit ends as soon as one batch is full, so that there is hardly ever more than one batch per output partition.
 */
import { RunInferenceError } from '../errors.ts'
import type { SealedBatch } from '../kafka/record-batch-builder.ts'
import type { Header } from '../kafka/record-block.ts'
import { encodeHeaders } from '../kafka/record-headers.ts'
import { CarriedRecord } from './carried-record.ts'
import type { OutputTarget } from './output-target.ts'
import type { PartitionFlow } from './partition-flow.ts'
import { ABSENT, NULL_VALUE, type SinkColumn } from './sink-column.ts'
import type { Failure } from './stage.ts'
import { UnitRounds } from './unit-rounds.ts'
import type { WorkBlock } from './work-block.ts'

/** Brokers refuse records from more than an hour ahead (KIP-937); a minute is left for clocks that differ. */
const MAX_AHEAD_MS = 3_600_000 - 60_000

export interface UnitRange {
  readonly work: WorkBlock
  readonly from: number
  readonly to: number
}

export interface CommitUnit {
  readonly flow: PartitionFlow
  readonly ranges: readonly UnitRange[]
  /** Batches to be written one round after the other: a round has at most one batch per output partition. */
  readonly rounds: readonly (readonly SealedBatch[])[]
  readonly nextOffset: number
  readonly rows: number
  readonly clampedTimestamps: number
  /** Dead letters of outputs that the broker refused when the unit was written. */
  readonly refused: Failure[]
}

/** A column of outputs and where it goes. */
export interface OutletTarget {
  readonly column: number
  /** Position of its sink in the declaration. */
  readonly sink: number
  readonly target: OutputTarget
  /** The topology reads its topic again. */
  readonly between: boolean
}

/** Where outputs go. */
export interface Outputs {
  /** In the order in which outputs of one record leave. */
  readonly outlets: readonly OutletTarget[]
  readonly deadLetters: ReadonlyMap<string, OutputTarget>
}

/** A dead letter's own headers, and whether its value had to be left out. */
export interface EncodedFailure {
  readonly headers: readonly Header[]
  readonly withoutValue: boolean
}

export interface UnitBuilderOptions {
  readonly provenance: boolean
  readonly wallTime: () => number
  /** Makes the headers of a dead letter that must fit in `maxBytes`. */
  readonly encodeFailure: (work: WorkBlock, row: number, failure: Failure, maxBytes: number) => EncodedFailure
}

/** An outlet that rows of a block have reached. */
interface Present {
  readonly column: SinkColumn
  readonly outlet: OutletTarget
}

/** The one record of a unit that the broker would not take. */
export interface Origin {
  readonly work: WorkBlock
  readonly row: number
  /** The row, or what was made of it. */
  readonly element: number
  /** Set for the output of a sink: the column that it stands in. */
  readonly column: number | undefined
  /** Set for the output of a sink: its position in the declaration. */
  readonly sink: number | undefined
  /** Set when the dead letter itself was refused. */
  readonly failure: Failure | undefined
  readonly topic: string
}

/** The begin of a row of a unit, and how many records of the output partition in question come before it. */
export interface UnitPlace {
  readonly range: number
  readonly row: number
  readonly seen: number
}

const UNIT_START: UnitPlace = { range: 0, row: 0, seen: 0 }

export class UnitBuilder {
  readonly #options: UnitBuilderOptions
  readonly #carried: CarriedRecord
  #rounds = new UnitRounds()
  #clamped = 0
  #now = 0
  /** While set, only records [from, to) of one output partition are built: parts of a batch that was refused. */
  #only:
    | { readonly topic: string; readonly partition: number; readonly from: number; readonly to: number; seen: number }
    | undefined
  #origin: Origin | undefined

  constructor(options: UnitBuilderOptions) {
    this.#options = options
    this.#carried = new CarriedRecord(options.provenance)
  }

  /**
   * The next unit of this partition, or undefined while its first row is not done.
   * @param before the last unit that was built and is not acknowledged, if there is one
   */
  build(flow: PartitionFlow, outputs: Outputs, before?: CommitUnit): CommitUnit | undefined {
    this.#begin()
    const ranges: UnitRange[] = []
    let nextOffset = before?.nextOffset ?? flow.committable
    let rows = 0
    for (let i = before ? firstBehind(before) : 0; i < flow.blocks.length; i++) {
      const work = flow.blocks[i]!
      const from = work.emitted
      const done = work.donePrefix
      const present = presentIn(work, outputs)
      let row = from
      while (row < done && !this.#rounds.full) this.#emitRow(work, row++, present, outputs)
      work.emitted = row
      ranges.push({ work, from, to: row })
      rows += row - from
      nextOffset = row === work.block.count ? work.block.nextOffset : work.block.offset(row)
      if (row < work.block.count || this.#rounds.full) break
    }
    // An empty block that moves nothing still has to be let go.
    const finished = ranges.some(({ work, to }) => to === work.block.count)
    if (rows === 0 && nextOffset === (before?.nextOffset ?? flow.committable) && !finished) return undefined
    const rounds = this.#rounds.seal()
    return { flow, ranges, rounds, nextOffset, rows, clampedTimestamps: this.#clamped, refused: [] }
  }

  /**
   * Builds records [from, to) of one output partition of a unit anew; for a batch that the broker refused as a whole.
   * @param at a place in front of the first of them: a search that began at the unit's first row each time would be quadratic
   */
  rebuild(
    unit: CommitUnit,
    outputs: Outputs,
    batch: SealedBatch,
    from: number,
    to: number,
    at: UnitPlace = UNIT_START,
  ): { batch: SealedBatch; origin: Origin; last: UnitPlace } {
    this.#begin()
    const only = { topic: batch.topic, partition: batch.partition, from, to, seen: at.seen }
    this.#only = only
    const last = { ...at }
    for (; last.range < unit.ranges.length; last.range++, last.row = 0) {
      const { work, from: first, to: end } = unit.ranges[last.range]!
      const present = presentIn(work, outputs)
      for (last.row = Math.max(last.row, first); last.row < end; last.row++) {
        last.seen = only.seen
        this.#emitRow(work, last.row, present, outputs)
        if (only.seen >= to) {
          this.#only = undefined
          return { batch: this.#rounds.seal()[0]![0]!, origin: this.#origin!, last }
        }
      }
    }
    throw new RunInferenceError(
      'BUG',
      `a unit has ${only.seen} records for ${batch.topic}/${batch.partition}, not ${to}`,
    )
  }

  /** A dead letter on its own, for an output that was refused after its row was done. */
  lateFailure(work: WorkBlock, row: number, failure: Failure, outputs: Outputs): SealedBatch {
    this.#begin()
    this.#emitFailure(work, row, failure, outputs)
    return this.#rounds.seal()[0]![0]!
  }

  #begin(): void {
    this.#rounds = new UnitRounds()
    this.#clamped = 0
    this.#now = this.#options.wallTime()
  }

  #emitRow(work: WorkBlock, row: number, present: readonly Present[], outputs: Outputs): void {
    const isParent = work.isParent(row)
    for (let i = 0; i < present.length; i++) {
      const { column, outlet } = present[i]!
      this.#emitOutput(work, row, row, column, outlet)
      if (isParent) for (const element of work.below(row)) this.#emitOutput(work, row, element, column, outlet)
    }
    if (!work.hasFailures) return
    const failures = work.failuresOf(row)
    if (failures) for (const failure of failures) this.#emitFailure(work, row, failure, outputs)
  }

  #emitOutput(work: WorkBlock, row: number, element: number, column: SinkColumn, outlet: OutletTarget): void {
    const start = column.startOf(element)
    if (start === ABSENT) return
    const { target, between } = outlet
    const record = this.#carried.take(work, row, between)
    record.value = start === NULL_VALUE ? null : column.arena
    record.valueStart = start
    record.valueEnd = column.end[element]!
    record.timestamp = this.#timestamp(work.block.timestamp(row))
    let partition: number
    if (column.keyStart && start !== NULL_VALUE) {
      record.key = column.arena
      record.keyStart = column.keyStart[element]!
      record.keyEnd = start
      partition = target.partitionOfKey(column.arena, record.keyStart, record.keyEnd)
    } else partition = target.partitionOf(work.block, row)
    this.#append(target, partition, work, element, outlet, undefined)
  }

  #emitFailure(work: WorkBlock, row: number, failure: Failure, outputs: Outputs): void {
    const target = outputs.deadLetters.get(failure.point.topic)!
    const { block } = work
    const { headers, withoutValue } = this.#options.encodeFailure(work, row, failure, target.maxRecordBytes)
    const record = this.#carried.take(work, row, false)
    const start = block.valueStart(row)
    record.value = start < 0 || withoutValue ? null : block.bytes
    record.valueStart = start
    record.valueEnd = block.valueEnd(row)
    record.timestamp = this.#now
    record.ownHeaders = encodeHeaders(headers)
    record.ownHeadersStart = 0
    record.ownHeadersEnd = record.ownHeaders.length
    record.ownHeaderCount = headers.length
    this.#append(target, target.partitionOf(block, row), work, row, undefined, failure)
  }

  #timestamp(source: number): number {
    if (source >= 0 && source <= this.#now + MAX_AHEAD_MS) return source
    this.#clamped++
    return this.#now
  }

  #append(
    target: OutputTarget,
    partition: number,
    work: WorkBlock,
    element: number,
    outlet: OutletTarget | undefined,
    failure: Failure | undefined,
  ): void {
    const only = this.#only
    if (only) {
      if (target.topic !== only.topic || partition !== only.partition) return
      const position = only.seen++
      if (position < only.from || position >= only.to) return
      const { sink, column } = outlet ?? {}
      this.#origin = { work, row: work.rowOf(element), element, column, sink, failure, topic: target.topic }
    }
    this.#rounds.append(target.builder(partition), this.#carried.record)
  }
}

/** Which block of the partition comes behind this unit. */
function firstBehind({ flow, ranges }: CommitUnit): number {
  const { work, to } = ranges.at(-1)!
  return flow.blocks.indexOf(work) + (to === work.block.count ? 1 : 0)
}

/** What is the same for all rows of a block, asked once. */
function presentIn(work: WorkBlock, { outlets }: Outputs): readonly Present[] {
  return outlets.flatMap(outlet => {
    const column = work.existingColumn(outlet.column)
    return column ? [{ column, outlet }] : []
  })
}
