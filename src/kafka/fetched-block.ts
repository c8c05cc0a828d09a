import type { Header, RecordBlock } from './record-block.ts'
import { parseHeaders } from './record-headers.ts'

/** Numbers per record in `FetchedBlockData.index`, in the order of `INDEX`. */
export const INDEX_STRIDE = 7

export const INDEX = {
  keyStart: 0,
  keyEnd: 1,
  valueStart: 2,
  valueEnd: 3,
  headersStart: 4,
  headersEnd: 5,
  headerCount: 6,
} as const

export interface FetchedBlockData {
  readonly topic: string
  readonly partition: number
  readonly count: number
  readonly bytes: Buffer
  readonly nextOffset: number
  readonly endOffset: number
  readonly retainedBytes: number
  /** INDEX_STRIDE numbers per record; positions in `bytes`, −1 for null. */
  readonly index: Int32Array
  readonly offsets: Float64Array
  readonly timestamps: Float64Array
}

/** A RecordBlock over an index of positions: three typed arrays for all its records. */
export class FetchedBlock implements RecordBlock {
  readonly topic: string
  readonly partition: number
  readonly count: number
  readonly bytes: Buffer
  readonly nextOffset: number
  readonly endOffset: number
  readonly retainedBytes: number
  readonly #index: Int32Array
  readonly #offsets: Float64Array
  readonly #timestamps: Float64Array

  constructor(data: FetchedBlockData) {
    this.topic = data.topic
    this.partition = data.partition
    this.count = data.count
    this.bytes = data.bytes
    this.nextOffset = data.nextOffset
    this.endOffset = data.endOffset
    this.retainedBytes = data.retainedBytes
    this.#index = data.index
    this.#offsets = data.offsets
    this.#timestamps = data.timestamps
  }

  offset(i: number): number {
    return this.#offsets[i]!
  }

  timestamp(i: number): number {
    return this.#timestamps[i]!
  }

  keyStart(i: number): number {
    return this.#index[i * INDEX_STRIDE + INDEX.keyStart]!
  }

  keyEnd(i: number): number {
    return this.#index[i * INDEX_STRIDE + INDEX.keyEnd]!
  }

  valueStart(i: number): number {
    return this.#index[i * INDEX_STRIDE + INDEX.valueStart]!
  }

  valueEnd(i: number): number {
    return this.#index[i * INDEX_STRIDE + INDEX.valueEnd]!
  }

  headersStart(i: number): number {
    return this.#index[i * INDEX_STRIDE + INDEX.headersStart]!
  }

  headersEnd(i: number): number {
    return this.#index[i * INDEX_STRIDE + INDEX.headersEnd]!
  }

  headerCount(i: number): number {
    return this.#index[i * INDEX_STRIDE + INDEX.headerCount]!
  }

  key(i: number): Buffer | null {
    const start = this.keyStart(i)
    return start < 0 ? null : this.bytes.subarray(start, this.keyEnd(i))
  }

  value(i: number): Buffer | null {
    const start = this.valueStart(i)
    return start < 0 ? null : this.bytes.subarray(start, this.valueEnd(i))
  }

  headers(i: number): readonly Header[] {
    return parseHeaders(this.bytes, this.headersStart(i), this.headersEnd(i), this.headerCount(i))
  }
}
