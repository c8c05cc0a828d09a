import { readInt64 } from '../kafka/int64.ts'

/** Reads the fields of an answer in the protocol's primitive types; throws RangeError past the end. */
export class AnswerReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  int16(): number {
    const value = this.#bytes.readInt16BE(this.#at)
    this.#at += 2
    return value
  }

  int32(): number {
    const value = this.#bytes.readInt32BE(this.#at)
    this.#at += 4
    return value
  }

  int64(): number {
    const value = readInt64(this.#bytes, this.#at, 'A field of an answer')
    this.#at += 8
    return value
  }

  string(): string {
    const length = this.int16()
    const start = this.#skip(Math.max(length, 0))
    return this.#bytes.toString('utf8', start, this.#at)
  }

  /** A view of bytes with their length in front; null is empty. */
  bytes(): Buffer {
    const length = this.int32()
    const start = this.#skip(Math.max(length, 0))
    return this.#bytes.subarray(start, this.#at)
  }

  /** As many elements as the count in front says; none for null. */
  array<T>(element: () => T): T[] {
    const count = this.int32()
    const elements: T[] = []
    for (let i = 0; i < count; i++) elements.push(element())
    return elements
  }

  #skip(length: number): number {
    const start = this.#at
    if (start + length > this.#bytes.length) {
      throw new RangeError(`the answer ends at byte ${this.#bytes.length}; a field reaches to ${start + length}`)
    }
    this.#at = start + length
    return start
  }
}
