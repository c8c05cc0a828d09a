import { RunInferenceError } from '../errors.ts'
import type { RowEncoder } from '../kafka/codec.ts'
import { isKV } from '../records.ts'
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
    const { outlet, key, failures } = this.#options
    try {
      let element = value
      if (key) {
        if (!isKV(value)) throw new RunInferenceError('ENCODE_SCHEMA', `expected a keyed element, got ${typeof value}`)
        this.#checkKey(work, work.rowOf(at), value.key, key)
        element = value.value
      }
      this.#encode(work.column(outlet), at, element)
    } catch (error) {
      const failure = RunInferenceError.from(error, 'ENCODE_SCHEMA', `output topic ${this.#options.topic}`)
      work.fail(at, failures, -1, failure, { value })
      return
    }
    work.complete(at)
  }

  pushNull(work: WorkBlock, at: number): void {
    work.column(this.#options.outlet).setNull(at)
    work.complete(at)
  }

  /** Takes rows whose encoded values lie one behind the other: no objects are made. */
  pushRows(work: WorkBlock, rows: Int32Array, from: number, to: number, bytes: Uint8Array, rowBytes: number): void {
    const column = work.column(this.#options.outlet)
    const length = (to - from) * rowBytes
    column.reserve(length)
    column.arena.set(bytes, column.used)
    for (let i = from; i < to; i++) {
      column.seal(rows[i]!, column.used + rowBytes)
      work.complete(rows[i]!)
    }
  }

  #encode(column: SinkColumn, at: number, element: unknown): void {
    const { value, maxValueBytes, topic } = this.#options
    let end = value.encode(element, column.arena, column.used)
    while (end < 0) {
      column.reserve(Math.max(-end, 64))
      end = value.encode(element, column.arena, column.used)
    }
    if (end - column.used > maxValueBytes) {
      throw new RunInferenceError(
        'OUTPUT_TOO_LARGE',
        `the value has ${end - column.used} bytes; topic ${topic} takes ${maxValueBytes} (max.message.bytes less key, headers and framing)`,
      )
    }
    column.seal(at, end)
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
