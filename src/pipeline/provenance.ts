import type { TopicPartition } from '../kafka/port.ts'
import { sizeOfVarint, writeVarint } from '../kafka/varint.ts'

const MAX_OFFSET_DIGITS = 16
const NINE = 57

/**
 * The wire form of the header that every output carries, `kri-source` = topic/partition/offset. One per partition; between
 * records hardly more than the digits of the offset change.
 */
export class PositionHeader {
  readonly bytes: Buffer
  readonly #valueLengthAt: number
  readonly #prefix: string
  /** How many bytes the length of the value takes, and with it where the prefix stands: changes when digits are added. */
  #lengthBytes = 0
  #digitsAt = 0
  #lastOffset = -1
  #end = 0

  constructor(name: string, { topic, partition }: TopicPartition) {
    const prefix = `${topic}/${partition}/`
    this.bytes = Buffer.allocUnsafeSlow(name.length + prefix.length + MAX_OFFSET_DIGITS + 10)
    let at = writeVarint(this.bytes, 0, name.length)
    at += this.bytes.write(name, at)
    this.#valueLengthAt = at
    this.#prefix = prefix
  }

  /** Writes the offset and returns the end of the header in `bytes`. */
  write(offset: number): number {
    const { bytes } = this
    const last = this.#end - 1
    const isNext = offset === this.#lastOffset + 1
    this.#lastOffset = offset
    // The usual case: the next offset, with another last digit.
    if (isNext && last > 0 && bytes[last]! < NINE) {
      bytes[last]!++
      return this.#end
    }
    let digits = 1
    for (let limit = 10; offset >= limit; limit *= 10) digits++
    const length = this.#prefix.length + digits
    const lengthBytes = sizeOfVarint(length)
    if (lengthBytes !== this.#lengthBytes) this.#place(lengthBytes)
    let rest = offset
    for (let i = digits - 1; i >= 0; i--) {
      const next = Math.floor(rest / 10)
      bytes[this.#digitsAt + i] = 48 + (rest - next * 10)
      rest = next
    }
    writeVarint(bytes, this.#valueLengthAt, length)
    this.#end = this.#digitsAt + digits
    return this.#end
  }

  #place(lengthBytes: number): void {
    const at = this.#valueLengthAt + lengthBytes
    this.#lengthBytes = lengthBytes
    this.#digitsAt = at + this.bytes.write(this.#prefix, at)
  }
}
