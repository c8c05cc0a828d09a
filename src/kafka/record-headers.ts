/**
 * Record headers in their wire form, without the count that stands in front of them: for each header the length and the
 * UTF-8 bytes of its name, the length (−1 for null) and the bytes of its value. Names may repeat; order is kept.
 */

import { RunInferenceError } from '../errors.ts'
import type { Header } from './record-block.ts'
import { sizeOfVarint, VarintCursor, writeVarint } from './varint.ts'

/** Bytes that `writeHeaders` takes. */
export function sizeOfHeaders(headers: readonly Header[]): number {
  let size = 0
  for (const [name, value] of headers) {
    const nameLength = Buffer.byteLength(name)
    size += sizeOfVarint(nameLength) + nameLength
    size += value === null ? 1 : sizeOfVarint(value.length) + value.length
  }
  return size
}

/** Writes the headers at `at` and returns the end. The caller has made room: see `sizeOfHeaders`. */
export function writeHeaders(headers: readonly Header[], into: Buffer, at: number): number {
  let end = at
  for (const [name, value] of headers) {
    end = writeVarint(into, end, Buffer.byteLength(name))
    end += into.write(name, end)
    end = writeVarint(into, end, value === null ? -1 : value.length)
    if (value !== null) end += value.copy(into, end)
  }
  return end
}

/** The headers as bytes of their own. */
export function encodeHeaders(headers: readonly Header[]): Buffer {
  const bytes = Buffer.allocUnsafeSlow(sizeOfHeaders(headers))
  writeHeaders(headers, bytes, 0)
  return bytes
}

/** Reads `count` headers from `bytes[start, end)`; values are views. */
export function parseHeaders(bytes: Buffer, start: number, end: number, count: number): Header[] {
  const headers: Header[] = []
  const walk = new HeaderWalk(bytes, start, end)
  for (let i = 0; i < count; i++) {
    walk.next()
    headers.push([bytes.toString('utf8', walk.nameStart, walk.nameEnd), walk.value()])
  }
  walk.finish()
  return headers
}

/** How many of the headers have a name that begins with `prefix`. Makes no object per header. */
export function countOfPrefix(bytes: Buffer, start: number, end: number, count: number, prefix: Buffer): number {
  if (count === 0) return 0
  const walk = new HeaderWalk(bytes, start, end)
  let found = 0
  for (let i = 0; i < count; i++) {
    walk.next()
    if (walk.nameBeginsWith(prefix)) found++
  }
  walk.finish()
  return found
}

/** The headers, in order, whose names do not begin with `prefix`, as bytes of their own, and their number. */
export function withoutPrefix(
  bytes: Buffer,
  start: number,
  end: number,
  count: number,
  prefix: Buffer,
): { readonly bytes: Buffer; readonly count: number } {
  const kept = Buffer.allocUnsafeSlow(end - start)
  const walk = new HeaderWalk(bytes, start, end)
  let at = 0
  let keptCount = 0
  for (let i = 0; i < count; i++) {
    const headerStart = walk.at
    walk.next()
    if (walk.nameBeginsWith(prefix)) continue
    at += bytes.copy(kept, at, headerStart, walk.at)
    keptCount++
  }
  walk.finish()
  return { bytes: kept.subarray(0, at), count: keptCount }
}

/** Steps over headers; after `next` the four positions describe one. */
export class HeaderWalk {
  readonly #bytes: Buffer
  readonly #end: number
  readonly #cursor: VarintCursor
  nameStart = 0
  nameEnd = 0
  valueStart = -1
  valueEnd = -1

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes
    this.#end = end
    this.#cursor = new VarintCursor(bytes, start)
  }

  /** Where the next header begins. */
  get at(): number {
    return this.#cursor.at
  }

  next(): void {
    const cursor = this.#cursor
    const nameLength = cursor.varint()
    this.nameStart = cursor.at
    this.nameEnd = cursor.at + nameLength
    cursor.at = this.nameEnd
    const valueLength = cursor.varint()
    this.valueStart = valueLength < 0 ? -1 : cursor.at
    this.valueEnd = valueLength < 0 ? -1 : cursor.at + valueLength
    if (valueLength > 0) cursor.at = this.valueEnd
    if (nameLength < 0 || valueLength < -1 || cursor.at > this.#end) {
      throw new RunInferenceError(
        'RECORDS_UNREADABLE',
        `A record header at byte ${this.nameStart} reaches past the end of its record (${this.#end}); the record was written with wrong lengths.`,
      )
    }
  }

  /** Throws when the headers, as many as were said to be there, end before their record does. */
  finish(): void {
    if (this.#cursor.at === this.#end) return
    throw new RunInferenceError(
      'RECORDS_UNREADABLE',
      `The headers of a record end at byte ${this.#cursor.at}, and their record at ${this.#end}; it was written with a wrong count.`,
    )
  }

  nameBeginsWith(prefix: Buffer): boolean {
    if (this.nameEnd - this.nameStart < prefix.length) return false
    for (let i = 0; i < prefix.length; i++) {
      if (this.#bytes[this.nameStart + i] !== prefix[i]) return false
    }
    return true
  }

  value(): Buffer | null {
    return this.valueStart < 0 ? null : this.#bytes.subarray(this.valueStart, this.valueEnd)
  }
}
