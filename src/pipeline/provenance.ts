import type { TopicPartition } from '../kafka/port.ts'
import { writeVarint } from '../kafka/varint.ts'

const NAME = 'kri-source'
const MAX_OFFSET_DIGITS = 16

/**
 * The wire form of the one header that every output carries: `kri-source` = topic/partition/offset. One per partition;
 * only the digits of the offset change between records.
 */
export class SourceHeader {
  readonly bytes: Buffer
  readonly #valueLengthAt: number
  readonly #lengthBytes: number
  readonly #prefixLength: number
  readonly #digitsAt: number

  constructor({ topic, partition }: TopicPartition) {
    const prefix = `${topic}/${partition}/`
    this.bytes = Buffer.allocUnsafeSlow(NAME.length + prefix.length + MAX_OFFSET_DIGITS + 10)
    let at = writeVarint(this.bytes, 0, NAME.length)
    at += this.bytes.write(NAME, at)
    this.#valueLengthAt = at
    this.#prefixLength = prefix.length
    // The length's own size must not depend on the digits: 16 more bytes decide it for every offset.
    this.#lengthBytes = prefix.length + MAX_OFFSET_DIGITS < 64 ? 1 : 2
    this.#digitsAt = at + this.#lengthBytes
    this.#digitsAt += this.bytes.write(prefix, this.#digitsAt)
  }

  /** Writes the offset and returns the end of the header in `bytes`. */
  write(offset: number): number {
    const { bytes } = this
    let digits = 1
    for (let limit = 10; offset >= limit; limit *= 10) digits++
    let rest = offset
    for (let i = digits - 1; i >= 0; i--) {
      const next = Math.floor(rest / 10)
      bytes[this.#digitsAt + i] = 48 + (rest - next * 10)
      rest = next
    }
    const zigzag = (this.#prefixLength + digits) * 2
    if (this.#lengthBytes === 1) bytes[this.#valueLengthAt] = zigzag
    else {
      bytes[this.#valueLengthAt] = (zigzag & 0x7f) | 0x80
      bytes[this.#valueLengthAt + 1] = zigzag >>> 7
    }
    return this.#digitsAt + digits
  }
}
