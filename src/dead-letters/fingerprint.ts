/**
 * What dead letters have in common that failed for one reason: stage, step, code, and the message without what differs from
 * record to record. Tools, audits and people refer to fingerprints, so what is written here stays.
 *
 * F1. Messages that differ in numbers, in quoted or hexadecimal text, in ids, times, addresses or paths are one.
 * F2. Of a message the first line counts, and of that the first 300 characters behind normalising.
 * F3. Time and memory are linear in what is read of a message: the first 2,000 characters.
 */
import { createHash } from 'node:crypto'
import type { DeadLetter } from './dead-letter.ts'

const READ_CHARS = 2_000
const KEPT_CHARS = 300
const DIGITS = 12

/**
 * In this order: what a later one would find in part, an earlier one has replaced as a whole. `sign` is in all that a pattern finds: to
 * look for it takes a small part of the time.
 */
const DIFFERING: readonly (readonly [pattern: RegExp, mark: string, sign?: string])[] = [
  [/"[^"]{0,400}"|'[^']{0,400}'|`[^`]{0,400}`/g, '<text>'],
  [/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/gi, '<id>', '-'],
  [/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?/g, '<time>', ':'],
  [/\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s<>]{1,400}/gi, '<address>', '://'],
  [/(?<![\w<])(?:\/[\w.@-]{1,100}){2,40}/g, '<path>', '/'],
  [/\b0x[0-9a-f]+\b/gi, '<hex>'],
  [/\b(?=[0-9a-f]{0,63}\d)(?=[0-9a-f]{0,63}[a-f])[0-9a-f]{8,64}\b/gi, '<hex>'],
  [/(?<![\w<.])-?\d+(?:[.,]\d+)*(?:e[+-]?\d+)?/gi, '<n>'],
]

/** Digests of what was asked for lately: reasons are few, and letters many. */
const MAX_DIGESTS = 10_000
const digests = new Map<string, string>()

/** The message without what differs from record to record (F1, F2). */
export function normalised(message: string): string {
  let text = message.slice(0, READ_CHARS).split('\n', 1)[0]!
  for (const [pattern, mark, sign] of DIFFERING)
    if (sign === undefined || text.includes(sign)) text = text.replace(pattern, mark)
  return text.replace(/\s+/g, ' ').trim().slice(0, KEPT_CHARS)
}

/** Twelve hex digits. */
export function fingerprintOf({
  stage,
  step,
  code,
  message,
}: Pick<DeadLetter, 'stage' | 'step' | 'code' | 'message'>): string {
  const parts = JSON.stringify([stage ?? '', step ?? '', code ?? '', normalised(message ?? '')])
  const known = digests.get(parts)
  if (known !== undefined) return known
  const digest = createHash('sha256').update(parts).digest('hex').slice(0, DIGITS)
  if (digests.size >= MAX_DIGESTS) digests.clear()
  digests.set(parts, digest)
  return digest
}
