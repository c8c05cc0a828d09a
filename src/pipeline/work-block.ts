/**
 * A block on its way through the graph. It counts, per row, the branches that are not done yet, and holds the outputs
 * until the outbox takes them in source order. Elements [0, count) are the rows; further ones are made on the way, each of a
 * parent (`flatMap`, batches that records bring with them), and end with their row.
 *
 * W1. A row is done when each of its branches ended in an output, a dead letter or a counted drop (I1).
 * W2. `donePrefix` never passes a row that is not done.
 * W3. Nothing is added to a block that was lost; what finishes late is dropped (I8).
 * W4. Elements of one row leave in the order of their ways: a parent's children one behind the other, whenever they were done;
 *     so do its dead letters, one for elements of the row that failed at one node and function with one code.
 * W5. Columns go to another block only when every row of this one was acknowledged: then nobody reads or writes them.
 */

import type { RunInferenceError } from '../errors.ts'
import type { RecordBlock } from '../kafka/record-block.ts'
import { ColumnPool } from './column-pool.ts'
import type { PartitionFlow } from './partition-flow.ts'
import type { Replays } from './replays.ts'
import type { SinkColumn } from './sink-column.ts'
import type { Failure, FailureFacts, FailurePoint } from './stage.ts'

const NOTHING_ELSE: FailureFacts = {}

export class WorkBlock {
  readonly block: RecordBlock
  readonly flow: PartitionFlow
  /** When it was fetched, by the injected clock; for latency. */
  readonly arrivedAtMs: number
  /** Rows [0, emitted) were handed to the writer. */
  emitted = 0
  /** Decoded record keys by row, where the source has a key codec: spares the sinks from encoding keys again. */
  keys: unknown[] | undefined
  /** Set in a block of dead letters that are processed again: which outputs and failures of its rows count. */
  replays: Replays | undefined
  #donePrefix = 0
  readonly #branches: Int32Array
  readonly #columns: (SinkColumn | undefined)[]
  readonly #pool: ColumnPool
  readonly #failures = new Map<number, Failure[]>()
  readonly #failedElements = new Map<Failure, number>()
  /** Parent of each element that is no row. */
  readonly #parents: number[] = []
  /** First and number of the children that an element got, in the order in which it got them. */
  readonly #children = new Map<number, number[]>()
  /** How many elements were made of each row. */
  #made: Int32Array | undefined
  #uncounted = 0
  #outputBytes = 0

  constructor(block: RecordBlock, flow: PartitionFlow, outlets: number, nowMs: number, pool = new ColumnPool()) {
    this.block = block
    this.flow = flow
    this.arrivedAtMs = nowMs
    this.#branches = new Int32Array(block.count).fill(1)
    this.#columns = new Array<SinkColumn | undefined>(outlets)
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

  /** The source row of an element. */
  rowOf(element: number): number {
    let row = element
    while (row >= this.block.count) row = this.#parents[row - this.block.count]!
    return row
  }

  /** New elements of this one, and the number of the first; the caller says how many branches they are. */
  addChildren(element: number, count: number): number {
    const first = this.elements
    for (let i = 0; i < count; i++) this.#parents.push(element)
    this.#made ??= new Int32Array(this.block.count)
    this.#made[this.rowOf(element)]! += count
    this.#uncounted += count
    const ranges = this.#children.get(element)
    if (ranges) ranges.push(first, count)
    else this.#children.set(element, [first, count])
    return first
  }

  /** Rows and what was made of them. */
  get elements(): number {
    return this.block.count + this.#parents.length
  }

  /** How many elements were made since this was asked last: each takes a credit (I5). */
  takeUncounted(): number {
    const count = this.#uncounted
    this.#uncounted = 0
    return count
  }

  /** What its outputs hold beyond what every block is reckoned to (I5): as much again as was fetched. */
  get outputBytes(): number {
    return this.#outputBytes
  }

  /** How many bytes that has become more since this was asked last. */
  takeOutputBytes(): number {
    let held = 0
    for (const column of this.#columns) held += column?.used ?? 0
    const before = this.#outputBytes
    this.#outputBytes = Math.max(before, held - this.block.retainedBytes)
    return this.#outputBytes - before
  }

  /** Whether something was made of this element. */
  isParent(element: number): boolean {
    return this.#children.size > 0 && this.#children.has(element)
  }

  /** How many elements were made of rows [from, to). */
  madeOf(from: number, to: number): number {
    let sum = 0
    if (this.#made) for (let row = from; row < to; row++) sum += this.#made[row]!
    return sum
  }

  /** What was made of an element, and of that, in the order in which it leaves (W4). */
  *below(element: number): Generator<number> {
    const ranges = this.#children.get(element)
    if (!ranges) return
    for (let i = 0; i < ranges.length; i += 2) {
      for (let child = ranges[i]!; child < ranges[i]! + ranges[i + 1]!; child++) {
        yield child
        yield* this.below(child)
      }
    }
  }

  addBranches(element: number, more: number): void {
    this.#branches[this.rowOf(element)]! += more
  }

  /** One branch of this element's row has ended. */
  complete(element: number): void {
    const row = this.rowOf(element)
    if (--this.#branches[row]! === 0 && this.replays !== undefined) this.#endReplay(row, this.replays)
  }

  /** The same for rows [from, to) of a list. */
  completeRows(rows: Int32Array, from: number, to: number): void {
    if (this.replays !== undefined || this.#parents.length > 0) {
      for (let i = from; i < to; i++) this.complete(rows[i]!)
      return
    }
    const branches = this.#branches
    for (let i = from; i < to; i++) branches[rows[i]!]!--
  }

  /** One branch of this element's row ends as a dead letter. */
  fail(element: number, point: FailurePoint, index: number, error: RunInferenceError, about = NOTHING_ELSE): void {
    if (this.lost) return
    const row = this.rowOf(element)
    if (this.replays === undefined || this.replays.hears(row, point)) {
      const failure: Failure = { point, index, error, modelId: about.modelId, attempt: about.attempt ?? 1 }
      if (point.policy?.(this, element, failure, about) === 'undone') return
      this.#note(row, element, failure)
      for (const listener of point.listeners) listener(this, element, failure, about)
    }
    this.complete(element)
  }

  #note(row: number, element: number, failure: Failure): void {
    const known = this.#failures.get(row)
    const same = known?.findIndex(other => isAlike(other, failure))
    if (known && same !== undefined && same >= 0) {
      // A dead letter is the record: a second one would say the same, and do the same when it is replayed.
      const first = known[same]!
      const count = (first.elements ?? 1) + 1
      if (this.#comesBefore(this.#failedElements.get(first)!, element)) {
        first.elements = count
        return
      }
      failure.elements = count
      known.splice(same, 1)
      this.#failedElements.delete(first)
    }
    this.#failedElements.set(failure, element)
    if (!known) this.#failures.set(row, [failure])
    else {
      const at = known.findLastIndex(other => this.#comesBefore(this.#failedElements.get(other)!, element))
      known.splice(at + 1, 0, failure)
    }
  }

  /** All branches of a replayed row have ended: one that did not come to where it failed is a dead letter once more. */
  #endReplay(row: number, replays: Replays): void {
    const diverged = this.#failures.has(row) ? undefined : replays.diverged(row)
    if (!diverged) return
    this.#branches[row] = 1
    this.fail(row, diverged.point, -1, diverged.error)
  }

  /** By the way on which two elements of one row were made, or equal. */
  #comesBefore(a: number, b: number): boolean {
    const [ofA, ofB] = [this.#pathTo(a), this.#pathTo(b)]
    const differs = ofA.findIndex((element, i) => element !== ofB[i])
    return differs < 0 || (differs < ofB.length && ofA[differs]! < ofB[differs]!)
  }

  #pathTo(element: number): number[] {
    const path = [element]
    while (path[0]! >= this.block.count) path.unshift(this.#parents[path[0]! - this.block.count]!)
    return path
  }

  /** The topic of an outlet refuses the output of this element: a dead letter takes its place. Its row has to be emitted anew. */
  replaceOutput(element: number, outlet: number, failure: Failure): void {
    this.#columns[outlet]!.clearOutput(element)
    this.#note(this.rowOf(element), element, failure)
  }

  get hasFailures(): boolean {
    return this.#failures.size > 0
  }

  failuresOf(row: number): readonly Failure[] | undefined {
    return this.#failures.get(row)
  }

  column(outlet: number): SinkColumn {
    const known = this.#columns[outlet]
    if (known) return known
    const made = this.#pool.take(this.block.count)
    this.#columns[outlet] = made
    return made
  }

  /** The column if any element has reached this outlet. */
  existingColumn(outlet: number): SinkColumn | undefined {
    return this.#columns[outlet]
  }

  /** Every row was acknowledged: what held the outputs may be used again (W5). */
  release(): void {
    for (const column of this.#columns) if (column) this.#pool.give(column)
    this.#columns.fill(undefined)
    this.#outputBytes = 0
  }
}

function isAlike(a: Failure, b: Failure): boolean {
  const samePlace = a.point.node === b.point.node && a.point.topic === b.point.topic && a.index === b.index
  return samePlace && a.error.code === b.error.code
}
