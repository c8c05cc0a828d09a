import { writeInt64 } from '../kafka/int64.ts'

/** Writes the fields of a request in the protocol's primitive types. */
export class RequestWriter {
  #bytes = Buffer.allocUnsafe(256)
  #end = 0

  int8(value: number): this {
    this.#end = this.#room(1).writeInt8(value, this.#end)
    return this
  }

  int16(value: number): this {
    this.#end = this.#room(2).writeInt16BE(value, this.#end)
    return this
  }

  int32(value: number): this {
    this.#end = this.#room(4).writeInt32BE(value, this.#end)
    return this
  }

  int64(value: number): this {
    this.#end = writeInt64(this.#room(8), this.#end, value)
    return this
  }

  /** A string with its length in front; null has length −1. */
  string(value: string | null): this {
    if (value === null) return this.int16(-1)
    const length = Buffer.byteLength(value)
    this.int16(length)
    this.#end += this.#room(length).write(value, this.#end)
    return this
  }

  /** As newer versions of requests have it. */
  compactString(value: string): this {
    const length = Buffer.byteLength(value)
    this.compactCount(length)
    this.#end += this.#room(length).write(value, this.#end)
    return this
  }

  /** How many elements, or bytes of a string, come next. */
  compactCount(count: number): this {
    let rest = count + 1
    for (; rest >= 0x80; rest >>>= 7) this.#end = this.#room(1).writeUInt8((rest & 0x7f) | 0x80, this.#end)
    this.#end = this.#room(1).writeUInt8(rest, this.#end)
    return this
  }

  /** What was written since the last call, as a buffer of its own. */
  take(): Buffer {
    const taken = Buffer.from(this.#bytes.subarray(0, this.#end))
    this.#end = 0
    return taken
  }

  #room(length: number): Buffer {
    if (this.#end + length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe((this.#end + length) * 2)
      this.#bytes.copy(larger, 0, 0, this.#end)
      this.#bytes = larger
    }
    return this.#bytes
  }
}
