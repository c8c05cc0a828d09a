/**
 * Calendar values as ISO 8601 text with a fixed number of decimals, and as counts of days or of parts of a second. Exact
 * both ways: BigInts, because microseconds since 1970 may be more than a number can hold.
 */
const DAY_MS = 86_400_000n

const DATE = /^(?:\d{4}|[+-]\d{6})-\d\d-\d\d$/
const TIME = /^(\d\d):(\d\d):(\d\d)(?:\.(\d+))?$/
const ZONE = /(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/

/** Days since 1970-01-01 as `2024-05-01`. */
export function dateText(days: number): string {
  return new Date(days * Number(DAY_MS)).toISOString().split('T')[0]!
}

export function daysOfDate(text: string): number {
  const ms = DATE.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN
  const days = ms / Number(DAY_MS)
  // A 30th of February is parsed as the 1st of March.
  if (Number.isNaN(ms) || dateText(days) !== text) throw new Error(`not a date such as 2024-05-01: ${text}`)
  return days
}

/** A time of day, counted in parts of 10^-decimals seconds, as `13:45:00.123`. */
export function timeText(count: bigint, decimals: number): string {
  const second = 10n ** BigInt(decimals)
  if (count < 0n || count >= 86_400n * second) throw new Error(`a time of day of ${count} parts of a second`)
  const seconds = Number(count / second)
  const two = (part: number) => String(part).padStart(2, '0')
  const clock = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`
  return `${clock}.${String(count % second).padStart(decimals, '0')}`
}

export function countOfTime(text: string, decimals: number): bigint {
  const [, hours = '24', minutes = '', seconds = '', fraction = ''] = TIME.exec(text) ?? []
  if (Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 59 || fraction.length > decimals) {
    throw new Error(`not a time of day with at most ${decimals} decimals such as 13:45:00.5: ${text}`)
  }
  const whole = BigInt(Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds))
  return whole * 10n ** BigInt(decimals) + BigInt(fraction.padEnd(decimals, '0'))
}

/** Parts of 10^-decimals seconds since 1970 as `2024-05-01T13:45:00.123`, without a zone. */
export function timestampText(count: bigint, decimals: number): string {
  const perDay = 86_400n * 10n ** BigInt(decimals)
  const inDay = ((count % perDay) + perDay) % perDay
  return `${dateText(Number((count - inDay) / perDay))}T${timeText(inDay, decimals)}`
}

/** The inverse; with `zoned`, the text ends in Z or an offset such as +02:00. */
export function countOfTimestamp(text: string, decimals: number, zoned: boolean): bigint {
  const zone = ZONE.exec(text)?.[0] ?? ''
  const [date = '', time = '', ...rest] = text.slice(0, text.length - zone.length).split('T')
  if ((zone !== '') !== zoned || rest.length > 0) {
    throw new Error(`not a timestamp ${zoned ? 'with' : 'without'} a zone: ${text}`)
  }
  const perSecond = 10n ** BigInt(decimals)
  const local = BigInt(daysOfDate(date)) * 86_400n * perSecond + countOfTime(time, decimals)
  return local - BigInt(offsetSeconds(zone)) * perSecond
}

function offsetSeconds(zone: string): number {
  if (zone === '' || zone === 'Z') return 0
  const seconds = Number(zone.slice(1, 3)) * 3600 + Number(zone.slice(4)) * 60
  return zone[0] === '-' ? -seconds : seconds
}
