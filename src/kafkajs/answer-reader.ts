import { RunInferenceError } from '../errors.ts'
import { readInt64 } from '../kafka/int64.ts'

/** Reads the fields of an answer in the protocol's primitive types; throws BROKER_REFUSED past the end. */
export class AnswerReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#skip(2))
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#skip(4))
  }

  int64(): number {
    return readInt64(this.#bytes, this.#skip(8), 'A field of an answer')
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

  /** As newer versions of answers have it; null is empty. */
  compactString(): string {
    const length = this.#compactCount()
    const start = this.#skip(length)
    return this.#bytes.toString('utf8', start, this.#at)
  }

  /** As newer versions of answers have it; none for null. */
  compactArray<T>(element: () => T): T[] {
    const count = this.#compactCount()
    const elements: T[] = []
    for (let i = 0; i < count; i++) elements.push(element())
    return elements
  }

  /** Skips what newer brokers may add to a part of an answer. */
  tags(): void {
    for (let left = this.#varint(); left > 0; left--) {
      this.#varint()
      this.#skip(this.#varint())
    }
  }

  #compactCount(): number {
    return Math.max(this.#varint() - 1, 0)
  }

  /** Up to 2^35; nothing that is read here is as long. */
  #varint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes.readUInt8(this.#skip(1))
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) break
    }
    return value
  }

  #skip(length: number): number {
    const start = this.#at
    if (start + length > this.#bytes.length) {
      throw new RunInferenceError(
        'BROKER_REFUSED',
        `the answer ends at byte ${this.#bytes.length}; a field reaches to ${start + length}. Is this a Kafka broker, and nothing in between that changes what it says?`,
      )
    }
    this.#at = start + length
    return start
  }
}
