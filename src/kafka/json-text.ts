/**
 * JSON values to and from text, where nothing changes silently on the way.
 *
 * 1. An integer that a number cannot hold is refused, or a BigInt where that was asked for; it is never rounded.
 * 2. A number that is too large for any is refused, and not Infinity.
 * 3. What JSON cannot say is refused, with its path: undefined, NaN, Infinity, functions, maps, cycles.
 */

/** `number` (default): integers that a number cannot hold are refused, both ways. `bigint`: integers beyond 2^53 are BigInts. */
export type JsonLongs = 'number' | 'bigint'

/** The reviver's third argument, which TypeScript's library does not know yet. */
type Reviver = (this: unknown, key: string, value: unknown, context: { readonly source?: string }) => unknown

// What only the slow way sees right: sixteen digits before a point, or an exponent of three. Three simple expressions take
// a quarter of the time of one.
const LONG_INSIDE = /[:,[\s-]\d{16}/
const LONG_WHOLE = /^\d{16}/
const LARGE = /\d[eE]\+?\d{3}/
const INTEGER = /^-?\d+$/
const POSITION = /at position (\d+)/
// The search parses a text some twenty times: of a large one that would take longer than all else that is done with its record.
const MAX_SEARCHED_LENGTH = 65_536

/** Parses a text. Throws SyntaxError with the position, or RangeError with the number that cannot be held. */
export function parseJson(text: string, longs: JsonLongs = 'number'): unknown {
  try {
    const needsCare = LONG_INSIDE.test(text) || LARGE.test(text) || LONG_WHOLE.test(text)
    return needsCare ? JSON.parse(text, numbersOf(longs) as never) : JSON.parse(text)
  } catch (error) {
    // V8 tells where most errors are.
    if (!(error instanceof SyntaxError) || POSITION.test(error.message)) throw error
    const isLarge = text.length > MAX_SEARCHED_LENGTH
    const where = isLarge ? 'in a text' : `at position ${positionOf(text, error)}`
    throw new SyntaxError(`${error.message}, ${where} of ${text.length}`)
  }
}

function numbersOf(longs: JsonLongs): Reviver {
  return (key, value, { source }) => {
    if (typeof value !== 'number' || source === undefined) return value
    if (!Number.isFinite(value)) throw new RangeError(`the number ${shortened(source)} of ${place(key)} is too large`)
    if (Number.isSafeInteger(value) || !INTEGER.test(source)) return value
    if (longs === 'bigint') return BigInt(source)
    // A number that somebody else wrote as we would is one that a number holds.
    if (String(value) === source) return value
    const what = `the integer ${shortened(source)} of ${place(key)} has more digits than a number can hold`
    throw new RangeError(`${what}: it needs { longs: 'bigint' }`)
  }
}

const place = (key: string) => (key === '' ? 'the value itself' : `field ${key}`)
const shortened = (text: string) => (text.length > 40 ? `${text.slice(0, 40)}…` : text)

/** Where a text stops being JSON: behind the longest beginning that could still become JSON. */
function positionOf(text: string, error: SyntaxError): number {
  if (isAboutEnd(text, error)) return text.length
  let good = 0
  let bad = text.length
  while (bad - good > 1) {
    const middle = (good + bad) >>> 1
    if (couldGoOn(text.slice(0, middle))) good = middle
    else bad = middle
  }
  return good
}

function couldGoOn(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch (error) {
    return isAboutEnd(text, error as SyntaxError)
  }
}

function isAboutEnd(text: string, { message }: SyntaxError): boolean {
  return message.includes('end of JSON') || Number(POSITION.exec(message)?.[1]) === text.length
}
