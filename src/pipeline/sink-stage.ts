import { RunInferenceError } from '../errors.ts'
import type { RowEncoder } from '../kafka/codec.ts'
import { isKV, type KV } from '../records.ts'
import type { Replays } from './replays.ts'
import type { SinkColumn } from './sink-column.ts'
import type { FailurePoint, Stage } from './stage.ts'
import type { WorkBlock } from './work-block.ts'

export interface SinkStageOptions {
  /** Its column in a block. */
  readonly outlet: number
  readonly topic: string
  readonly key: RowEncoder<unknown> | undefined
  /** True when the source decodes keys with the same codec: an equal key then has equal bytes. */
  readonly sameKeyCodec: boolean
  /** True: the record gets the key of the element, not that of its source. */
  readonly newKey: boolean
  readonly value: RowEncoder<unknown>
  /** The largest encoded value that the topic takes beside key and headers. */
  readonly maxValueBytes: number
  readonly failures: FailurePoint
}

/** A key that needs more than this to compare is compared in parts by the encoder's own growth rule. */
const FIRST_KEY_BYTES = 256

/** encode: elements → bytes in the block's column of this sink. */
export class SinkStage implements Stage {
  readonly #options: SinkStageOptions
  #keyScratch: Buffer = Buffer.allocUnsafeSlow(FIRST_KEY_BYTES)

  constructor(options: SinkStageOptions) {
    this.#options = options
  }

  push(work: WorkBlock, at: number, value: unknown): void {
    const { outlet, key, newKey, failures } = this.#options
    if (work.replays !== undefined && !work.replays.emits(work.rowOf(at), outlet)) {
      work.complete(at)
      return
    }
    try {
      let element = value
      if (key) {
        if (!isKV(value)) throw new RunInferenceError('ENCODE_SCHEMA', `expected a keyed element, got ${typeof value}`)
        if (!newKey) this.#checkKey(work, work.rowOf(at), value.key, key)
        element = value.value
      }
      const column = work.column(outlet)
      if (newKey) this.#encodeKeyed(column, at, (value as KV<unknown, unknown>).key, element)
      else column.seal(at, this.#encode(column, column.used, element))
    } catch (error) {
      const failure = RunInferenceError.from(error, 'ENCODE_SCHEMA', `output topic ${this.#options.topic}`)
      work.fail(at, failures, -1, failure, { value })
      return
    }
    work.complete(at)
  }

  pushNull(work: WorkBlock, at: number): void {
    const { outlet, newKey, topic, failures } = this.#options
    if (work.replays?.emits(work.rowOf(at), outlet) !== false) {
      if (newKey) {
        const why = `the record value is null, so there is no element that has a key for ${topic}`
        work.fail(at, failures, -1, new RunInferenceError('TOMBSTONE', why))
        return
      }
      work.column(outlet).setNull(at)
    }
    work.complete(at)
  }

  /** Takes rows whose encoded values lie one behind the other: no objects are made. */
  pushRows(work: WorkBlock, rows: Int32Array, from: number, to: number, bytes: Uint8Array, rowBytes: number): void {
    const { outlet } = this.#options
    const column = work.column(outlet)
    const { replays } = work
    if (replays !== undefined) {
      this.#pushReplayed(work, replays, rows.subarray(from, to), bytes, rowBytes)
      return
    }
    column.reserve((to - from) * rowBytes)
    column.arena.set(bytes, column.used)
    for (let i = from; i < to; i++) column.seal(rows[i]!, column.used + rowBytes)
    work.completeRows(rows, from, to)
  }

  #pushReplayed(work: WorkBlock, replays: Replays, rows: Int32Array, bytes: Uint8Array, rowBytes: number): void {
    const { outlet } = this.#options
    const column = work.column(outlet)
    rows.forEach((at, i) => {
      if (replays.emits(work.rowOf(at), outlet)) {
        column.reserve(rowBytes)
        column.arena.set(bytes.subarray(i * rowBytes, (i + 1) * rowBytes), column.used)
        column.seal(at, column.used + rowBytes)
      }
      work.complete(at)
    })
  }

  /** Writes the value at `start`, and returns its end. */
  #encode(column: SinkColumn, start: number, element: unknown): number {
    const { value, maxValueBytes, topic } = this.#options
    const end = grow(value, element, column, start)
    if (end - start > maxValueBytes) {
      throw new RunInferenceError(
        'OUTPUT_TOO_LARGE',
        `the value has ${end - start} bytes; topic ${topic} takes ${maxValueBytes} (max.message.bytes less key, headers and framing)`,
      )
    }
    return end
  }

  #encodeKeyed(column: SinkColumn, at: number, key: unknown, element: unknown): void {
    const keyEnd = grow(this.#options.key!, key, column, column.used)
    column.sealKeyed(at, keyEnd, this.#encode(column, keyEnd, element))
  }

  /** Record keys are carried unchanged: a function that made another key is told so. */
  #checkKey(work: WorkBlock, row: number, key: unknown, encoder: RowEncoder<unknown>): void {
    if (this.#options.sameKeyCodec && work.keys !== undefined && work.keys[row] === key) return
    let end = encoder.encode(key, this.#keyScratch, 0)
    while (end < 0) {
      this.#keyScratch = Buffer.allocUnsafeSlow(Math.max(this.#keyScratch.length * 2, -end))
      end = encoder.encode(key, this.#keyScratch, 0)
    }
    const { block } = work
    const start = block.keyStart(row)
    const same = start >= 0 && block.bytes.compare(this.#keyScratch, 0, end, start, block.keyEnd(row)) === 0
    if (same) return
    throw new RunInferenceError(
      'KEY_CHANGED',
      `a function changed the key to ${String(key)}; record keys are carried unchanged, only repartition writes new ones`,
    )
  }
}

/** Encodes at `start` of the arena, which grows as far as that takes. Returns the end. */
function grow(encoder: RowEncoder<unknown>, value: unknown, column: SinkColumn, start: number): number {
  let end = encoder.encode(value, column.arena, start)
  while (end < 0) {
    column.reserve(Math.max(-end, 64), start)
    end = encoder.encode(value, column.arena, start)
  }
  return end
}
