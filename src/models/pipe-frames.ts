/**
 * Frames on a pipe: a prefix with two lengths, a head of JSON, a body of raw bytes. Both ends are of one version of this code
 * and on one machine.
 *
 * 1. Bytes may come in any portions; a frame is complete with its last byte, not before.
 * 2. The body goes straight to where the reader wants it: `room` is the very place for the next bytes.
 * 3. A length beyond the limits, or a head that is no JSON, is refused: what follows could not be read anyway.
 */
import { RunInferenceError } from '../errors.ts'

const PREFIX_BYTES = 8
/** Strings travel in the head. */
const MAX_HEAD_BYTES = 256 * 1024 * 1024
const MAX_BODY_BYTES = 2 ** 31 - 1

/** What stands before the body of a frame: send it, then the body's bytes. Throws DEVICE_MEMORY: too much for one frame. */
export function frameStart(head: object, bodyBytes: number): Buffer {
  const text = JSON.stringify(head)
  const headBytes = Buffer.byteLength(text)
  requireLengths(headBytes, bodyBytes, 'DEVICE_MEMORY')
  const start = Buffer.allocUnsafe(PREFIX_BYTES + headBytes)
  start.writeUInt32LE(headBytes, 0)
  start.writeUInt32LE(bodyBytes, 4)
  start.write(text, PREFIX_BYTES)
  return start
}

export interface FrameEvents {
  /** Where the body of this frame goes, part by part; together as long as it is. */
  body(head: unknown, bodyBytes: number): readonly Uint8Array[]
  /** The frame whose head came last is complete. */
  complete(): void
}

export class FrameReader {
  readonly #events: FrameEvents
  readonly #prefix = Buffer.alloc(PREFIX_BYTES)
  #part: 'prefix' | 'head' | 'body' = 'prefix'
  #target: Uint8Array = this.#prefix
  #filled = 0
  #later: Uint8Array[] = []
  #bodyBytes = 0

  constructor(events: FrameEvents) {
    this.#events = events
  }

  /** Where the next bytes go; never empty. */
  room(): Uint8Array {
    return this.#filled === 0 ? this.#target : this.#target.subarray(this.#filled)
  }

  /** So many bytes have been put into `room`. Throws when they cannot be part of a frame. */
  filled(bytes: number): void {
    this.#filled += bytes
    while (this.#filled === this.#target.length) this.#next()
  }

  /** The same for bytes that lie elsewhere. */
  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const room = this.room()
      const length = Math.min(room.length, bytes.length - at)
      room.set(length === bytes.length ? bytes : bytes.subarray(at, at + length))
      at += length
      this.filled(length)
    }
  }

  /** Nothing follows. Throws when that is in the midst of a frame. */
  end(): void {
    if (this.#part === 'prefix' && this.#filled === 0) return
    throw refused(
      `the pipe ended in the ${this.#part} of a frame, after ${this.#filled} of ${this.#target.length} bytes`,
    )
  }

  /** What was filled is complete. */
  #next(): void {
    if (this.#part === 'prefix') {
      const headBytes = this.#prefix.readUInt32LE(0)
      this.#bodyBytes = this.#prefix.readUInt32LE(4)
      requireLengths(headBytes, this.#bodyBytes, 'BUG')
      this.#turnTo('head', Buffer.allocUnsafe(headBytes))
      return
    }
    if (this.#part === 'head') {
      const parts = this.#events.body(parseHead(this.#target as Buffer), this.#bodyBytes)
      const bytes = parts.reduce((sum, { length }) => sum + length, 0)
      if (bytes !== this.#bodyBytes) throw refused(`a body of ${this.#bodyBytes} bytes has room for ${bytes}`)
      this.#later = parts.filter(({ length }) => length > 0)
    }
    const next = this.#later.shift()
    if (next) {
      this.#turnTo('body', next)
      return
    }
    this.#turnTo('prefix', this.#prefix)
    this.#events.complete()
  }

  #turnTo(part: 'prefix' | 'head' | 'body', target: Uint8Array): void {
    this.#part = part
    this.#target = target
    this.#filled = 0
  }
}

function requireLengths(headBytes: number, bodyBytes: number, code: 'BUG' | 'DEVICE_MEMORY'): void {
  if (headBytes > 0 && headBytes <= MAX_HEAD_BYTES && bodyBytes <= MAX_BODY_BYTES) return
  throw refused(
    `a frame with a head of ${headBytes} bytes (1 to ${MAX_HEAD_BYTES}) and a body of ${bodyBytes} (at most ${MAX_BODY_BYTES})`,
    code,
  )
}

function parseHead(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString())
  } catch (error) {
    throw RunInferenceError.from(error, 'BUG', 'the head of a frame is no JSON')
  }
}

function refused(what: string, code: 'BUG' | 'DEVICE_MEMORY' = 'BUG'): RunInferenceError {
  return new RunInferenceError(code, `refused: ${what}`)
}
