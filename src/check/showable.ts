/** Control and format characters, separators of lines, halves of surrogates: what terminals obey or hide. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu
const SHOWN_CHARS = 160

/** Any value as one that JSON can show: bytes in base64, typed arrays as arrays, 64-bit integers, NaN and infinities as text. */
export function showable(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  if (typeof value !== 'object' || value === null) return value
  if (Buffer.isBuffer(value)) return value.toString('base64')
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return Array.from(value as Uint8Array, showable)
  if (value instanceof Date) return value.toISOString()
  if (value instanceof Map) return Object.fromEntries([...value].map(([name, entry]) => [name, showable(entry)]))
  if (Array.isArray(value)) return value.map(showable)
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, showable(entry)]))
}

/** Text that cannot do anything to a terminal: what is not to be seen is written as an escape. JSON stays the same JSON. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escaped)
}

/** A value that JSON can show, as JSON in one line for people: printable, and cut where it is long. */
export function shortJson(value: unknown): string {
  return printable(cut(JSON.stringify(value) ?? 'null'))
}

/** The beginning of a long text. */
export function cut(text: string, maxChars = SHOWN_CHARS): string {
  return text.length <= maxChars ? text : `${text.slice(0, maxChars - 1)}…`
}

function escaped(character: string): string {
  if (character === '\n') return '\\n'
  const units = Array.from({ length: character.length }, (_, i) => character.charCodeAt(i))
  return units.map(unit => `\\u${unit.toString(16).padStart(4, '0')}`).join('')
}
