import { SinkColumn } from './sink-column.ts'

/** Enough for the blocks that the default credits let in. */
const MAX_COLUMNS = 32
/** A column that grew beyond this is left to the garbage collector: one rare large block must not hold memory for ever. */
const MAX_ARENA_BYTES = 512 * 1024

/**
 * Columns of blocks that are through, for blocks to come. A column lies outside the JavaScript heap, and a new one per
 * block makes V8 collect the whole heap far more often than the heap itself would need.
 */
export class ColumnPool {
  readonly #free: SinkColumn[] = []

  /** A column without outputs, for this many rows. */
  take(rows: number): SinkColumn {
    const column = this.#free.pop()
    if (column === undefined) return new SinkColumn(rows)
    column.clear(rows)
    return column
  }

  /** The caller must not touch it any more. */
  give(column: SinkColumn): void {
    if (this.#free.length < MAX_COLUMNS && column.arena.length <= MAX_ARENA_BYTES) this.#free.push(column)
  }
}
