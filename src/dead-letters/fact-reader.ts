/**
 * Reads our headers of a record, one record after the other, without an object per header: a topic may have millions of dead letters,
 * with some twenty headers each, and most of what they say is what the one before said.
 *
 * F1. What is read is what parsing all headers would give: of a name that stands twice the last value, of a null an empty text.
 * F2. Nothing that is handed out points into the block. Memory is bounded, whatever headers there are: of a text that is longer than
 *     any that we write the begin is read.
 */
import * as names from '../kafka/headers.ts'
import type { RecordBlock } from '../kafka/record-block.ts'
import { HeaderWalk } from '../kafka/record-headers.ts'

const PREFIX = Buffer.from(names.KRI_PREFIX)
const ABSENT = -2
const NULL = -1
/** Of longer values the last one is not remembered, nor of those that differ each time. */
const REMEMBERED_BYTES = 128
/** More than is written of messages and stacks, and of all others. */
const [MAX_LONG_BYTES, MAX_BYTES] = [32 * 1024, 4 * 1024]
const DIFFERING = [names.KRI_ERROR_MESSAGE, names.KRI_ERROR_STACK]
const MAX_DIGITS = 16
const [MINUS, ZERO, NINE] = [0x2d, 0x30, 0x39]

/** One of our headers: what it is called, where it stands in the record that was read, and what it said last. */
export interface Fact {
  readonly name: Buffer
  start: number
  end: number
  /** The one that stood behind it last: very often it does again. */
  next: Fact | undefined
  /** None of those that differ each time. */
  readonly last: { readonly bytes: Buffer; length: number; text: string } | undefined
}

/** Of one record at a time: `read`, then ask. */
export class FactReader {
  readonly #facts = new Map<string, Fact>()
  readonly #all: readonly Fact[]
  #first: Fact | undefined
  #bytes: Buffer = Buffer.alloc(0)

  constructor(known: readonly string[]) {
    for (const name of known) {
      const last = DIFFERING.includes(name) ? undefined : { bytes: Buffer.alloc(REMEMBERED_BYTES), length: 0, text: '' }
      this.#facts.set(name, { name: Buffer.from(name), start: ABSENT, end: ABSENT, next: undefined, last })
    }
    this.#all = [...this.#facts.values()]
  }

  /** The header of this name, to be asked for; it has to be one of those known. */
  fact(name: string): Fact {
    return this.#facts.get(name)!
  }

  /** Throws RECORDS_UNREADABLE where headers do not fit their record. */
  read(block: RecordBlock, row: number): void {
    for (const fact of this.#all) fact.start = ABSENT
    const { bytes } = block
    this.#bytes = bytes
    const walk = new HeaderWalk(bytes, block.headersStart(row), block.headersEnd(row))
    let before: Fact | undefined
    for (let i = block.headerCount(row); i > 0; i--) {
      walk.next()
      if (!walk.nameBeginsWith(PREFIX)) continue
      const { nameStart, nameEnd } = walk
      const likely = before === undefined ? this.#first : before.next
      const isLikely = likely !== undefined && isAt(likely.name, likely.name.length, bytes, nameStart, nameEnd)
      const fact = isLikely ? likely : this.#facts.get(bytes.toString('utf8', nameStart, nameEnd))
      if (fact === undefined) continue
      if (before === undefined) this.#first = fact
      else before.next = fact
      before = fact
      fact.start = walk.valueStart < 0 ? NULL : walk.valueStart
      fact.end = walk.valueEnd
    }
    walk.finish()
  }

  has({ start }: Fact): boolean {
    return start !== ABSENT
  }

  /** null where there is no such header. */
  text({ start, end: whole, last }: Fact): string | null {
    if (start === ABSENT) return null
    if (start === NULL || start === whole) return ''
    const end = Math.min(whole, start + (last === undefined ? MAX_LONG_BYTES : MAX_BYTES))
    const bytes = this.#bytes
    if (last === undefined || end - start > REMEMBERED_BYTES) return bytes.toString('utf8', start, end)
    if (isAt(last.bytes, last.length, bytes, start, end)) return last.text
    bytes.copy(last.bytes, 0, start, end)
    last.length = end - start
    last.text = bytes.toString('utf8', start, end)
    return last.text
  }

  /** null where it is no whole number that can be told exactly, in at most 16 digits. */
  whole({ start, end }: Fact): number | null {
    if (start < 0) return null
    const bytes = this.#bytes
    const sign = bytes[start] === MINUS ? -1 : 1
    const first = sign < 0 ? start + 1 : start
    if (first >= end || end - first > MAX_DIGITS) return null
    let number = 0
    for (let at = first; at < end; at++) {
      const byte = bytes[at]!
      if (byte < ZERO || byte > NINE) return null
      number = number * 10 + (byte - ZERO)
    }
    return Number.isSafeInteger(number) ? sign * number : null
  }
}

function isAt(wanted: Buffer, length: number, bytes: Buffer, start: number, end: number): boolean {
  if (end - start !== length) return false
  for (let i = 0; i < length; i++) if (bytes[start + i] !== wanted[i]) return false
  return true
}
