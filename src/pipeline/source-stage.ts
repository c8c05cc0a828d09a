import { RunInferenceError } from '../errors.ts'
import type { TombstonePolicy } from '../graph.ts'
import type { RowDecoder } from '../kafka/codec.ts'
import { kv } from '../records.ts'
import type { Drop } from './functions.ts'
import type { FailurePoint, Stage } from './stage.ts'
import type { StepEntry } from './step-input.ts'
import type { WorkBlock } from './work-block.ts'

export interface SourceStageOptions {
  readonly key: RowDecoder<unknown> | undefined
  readonly value: RowDecoder<unknown>
  readonly tombstones: TombstonePolicy
  readonly failures: FailurePoint
  readonly next: Stage
  /** Set when raw values may go straight to this step. */
  readonly direct: { readonly entry: StepEntry; readonly rowBytes: number } | undefined
  readonly onDrop: Drop
}

/** So many rows are decoded before the rest of the application has its turn, and may say that it is enough. */
export const SLICE_ROWS = 512

/** decode → key: the way of a block into the graph, slice by slice. */
export class SourceStage {
  readonly #options: SourceStageOptions

  constructor(options: SourceStageOptions) {
    this.#options = options
  }

  /** Loads what the codecs need for this block; undefined when nothing is missing. Rejects (retriable) in an outage. */
  prepare(work: WorkBlock): Promise<void> | undefined {
    const { key, value } = this.#options
    const keys = key?.prepare?.(work.block)
    const values = value.prepare?.(work.block)
    if (!keys || !values) return keys ?? values
    return Promise.all([keys, values]).then(() => {})
  }

  /** Takes the slice that begins at this row; returns the row behind it. */
  process(work: WorkBlock, from: number): number {
    const { direct } = this.#options
    if (direct) return this.#processDirect(work, from, direct.entry, direct.rowBytes)
    const to = Math.min(work.block.count, from + SLICE_ROWS)
    for (let row = from; row < to; row++) this.#decodeRow(work, row)
    return to
  }

  #decodeRow(work: WorkBlock, row: number): void {
    const { key, value, next, failures } = this.#options
    const { block } = work
    const valueStart = block.valueStart(row)
    if (valueStart < 0) {
      this.#tombstone(work, row)
      return
    }
    let element: unknown
    try {
      element = value.decode(block.bytes, valueStart, block.valueEnd(row))
      if (key) element = kv(decodeKey(work, row, key), element)
    } catch (error) {
      work.fail(row, failures, -1, RunInferenceError.from(error, 'DECODE_MALFORMED'))
      return
    }
    next.push(work, row, element)
  }

  #tombstone(work: WorkBlock, row: number): void {
    const { tombstones, failures, onDrop } = this.#options
    if (tombstones === 'forward') this.#forward(work, row)
    else if (tombstones === 'drop') onDrop(work, row)
    else work.fail(row, failures, -1, new RunInferenceError('TOMBSTONE', 'the record value is null'))
  }

  /** A tombstone is its key: where keys are read, one that cannot be is no tombstone of anything. */
  #forward(work: WorkBlock, row: number): void {
    const { key, next, failures } = this.#options
    try {
      if (key) decodeKey(work, row, key)
    } catch (error) {
      work.fail(row, failures, -1, RunInferenceError.from(error, 'DECODE_MALFORMED'))
      return
    }
    next.pushNull(work, row)
  }

  /** Values that are the model's input as they stand: only their sizes are looked at, so a slice is counted by those that are wrong. */
  #processDirect(work: WorkBlock, from: number, { step, route }: StepEntry, rowBytes: number): number {
    const { block } = work
    const rows = new Int32Array(block.count - from)
    let count = 0
    let row = from
    for (let wrong = 0; row < block.count && wrong < SLICE_ROWS; row++) {
      const start = block.valueStart(row)
      if (start >= 0 && block.valueEnd(row) - start === rowBytes) rows[count++] = row
      else {
        this.#decodeRow(work, row)
        wrong++
      }
    }
    if (count > 0) step.pushDirect(work, count === rows.length ? rows : rows.slice(0, count), route)
    return row
  }
}

/** The key of a record, kept for the sinks. Throws KEY_MISSING or what the codec throws. */
function decodeKey(work: WorkBlock, row: number, key: RowDecoder<unknown>): unknown {
  const { block } = work
  const start = block.keyStart(row)
  if (start < 0)
    throw new RunInferenceError('KEY_MISSING', 'the record key is null, and the source declares a key codec')
  const decoded = key.decode(block.bytes, start, block.keyEnd(row))
  work.keys ??= new Array(block.count)
  work.keys[row] = decoded
  return decoded
}
