/**
 * A block on its way through the graph. It counts, per row, the branches that are not done yet, and holds the outputs
 * until the outbox takes them in source order.
 *
 * W1. A row is done when each of its branches ended in an output, a dead letter or a counted drop (I1).
 * W2. `donePrefix` never passes a row that is not done.
 * W3. Nothing is added to a block that was lost; what finishes late is dropped (I8).
 * W4. Columns go to another block only when every row of this one was acknowledged: then nobody reads or writes them.
 */

import type { RunInferenceError } from '../errors.ts'
import type { RecordBlock } from '../kafka/record-block.ts'
import { ColumnPool } from './column-pool.ts'
import type { PartitionFlow } from './partition-flow.ts'
import type { SinkColumn } from './sink-column.ts'
import type { Failure, FailurePoint } from './stage.ts'

export class WorkBlock {
  readonly block: RecordBlock
  readonly flow: PartitionFlow
  /** When it was fetched, by the injected clock; for latency. */
  readonly arrivedAtMs: number
  /** Rows [0, emitted) were handed to the writer. */
  emitted = 0
  /** Decoded record keys by row, where the source has a key codec: spares the sinks from encoding keys again. */
  keys: unknown[] | undefined
  #donePrefix = 0
  readonly #branches: Int16Array
  readonly #columns: (SinkColumn | undefined)[]
  readonly #pool: ColumnPool
  readonly #failures = new Map<number, Failure[]>()

  constructor(block: RecordBlock, flow: PartitionFlow, sinks: number, nowMs: number, pool = new ColumnPool()) {
    this.block = block
    this.flow = flow
    this.arrivedAtMs = nowMs
    this.#branches = new Int16Array(block.count).fill(1)
    this.#columns = new Array<SinkColumn | undefined>(sinks)
    this.#pool = pool
  }

  get lost(): boolean {
    return this.flow.lost
  }

  /** Rows [0, donePrefix) are done. */
  get donePrefix(): number {
    const { count } = this.block
    while (this.#donePrefix < count && this.#branches[this.#donePrefix] === 0) this.#donePrefix++
    return this.#donePrefix
  }

  addBranches(row: number, more: number): void {
    this.#branches[row]! += more
  }

  /** One branch of this row has ended. */
  complete(row: number): void {
    this.#branches[row]!--
  }

  /** One branch of this row ends as a dead letter. */
  fail(row: number, point: FailurePoint, index: number, error: RunInferenceError, modelId?: string): void {
    if (this.lost) return
    const failure: Failure = { point, index, error, modelId }
    const known = this.#failures.get(row)
    if (known) known.push(failure)
    else this.#failures.set(row, [failure])
    this.complete(row)
  }

  get hasFailures(): boolean {
    return this.#failures.size > 0
  }

  failuresOf(row: number): readonly Failure[] | undefined {
    return this.#failures.get(row)
  }

  column(sink: number): SinkColumn {
    const known = this.#columns[sink]
    if (known) return known
    const made = this.#pool.take(this.block.count)
    this.#columns[sink] = made
    return made
  }

  /** The column if any row has reached this sink. */
  existingColumn(sink: number): SinkColumn | undefined {
    return this.#columns[sink]
  }

  /** Every row was acknowledged: what held the outputs may be used again (W4). */
  release(): void {
    for (const column of this.#columns) if (column) this.#pool.give(column)
    this.#columns.fill(undefined)
  }
}
