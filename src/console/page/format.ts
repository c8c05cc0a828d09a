/** How numbers and times are written, everywhere alike: numbers in English, times in the reader's own zone. */
import { el, unknown } from './elements.ts'

const WHOLE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })
const ONE_DIGIT = new Intl.NumberFormat('en-US', { maximumFractionDigits: 1 })

export function count(value: number): string {
  return WHOLE.format(value)
}

/** Records a second: a digit behind the point below ten. */
export function rate(value: number): string {
  return value < 10 ? ONE_DIGIT.format(value) : WHOLE.format(value)
}

export function milliseconds(value: number): string {
  if (value >= 10_000) return `${ONE_DIGIT.format(value / 1000)} s`
  return value < 10 ? `${value.toFixed(2)} ms` : value < 100 ? `${value.toFixed(1)} ms` : `${WHOLE.format(value)} ms`
}

export function seconds(value: number): string {
  if (value > 0 && value < 1) return milliseconds(1000 * value)
  if (value < 60) return `${ONE_DIGIT.format(value)} s`
  if (value < 3600) return `${Math.floor(value / 60)} min ${Math.floor(value % 60)} s`
  return value < 86_400
    ? `${Math.floor(value / 3600)} h ${Math.floor((value % 3600) / 60)} min`
    : `${Math.floor(value / 86_400)} d ${Math.floor((value % 86_400) / 3600)} h`
}

export function bytes(value: number): string {
  if (value < 1024) return `${WHOLE.format(value)} B`
  return value < 1024 ** 2 ? `${ONE_DIGIT.format(value / 1024)} KiB` : `${ONE_DIGIT.format(value / 1024 ** 2)} MiB`
}

/** `12 records`, `1 record`. */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`
}

/** A message without the code that it begins with, where that stands beside it. */
export function withoutCode(message: string, code: string | null): string {
  return code !== null && message.startsWith(`[${code}] `) ? message.slice(code.length + 3) : message
}

/** Local time, with ISO 8601 as its title; today's without the day. */
export function time(iso: string | undefined, now = new Date()): HTMLElement {
  if (iso === undefined) return unknown()
  const date = new Date(iso)
  if (Number.isNaN(date.getTime())) return el('span', {}, iso)
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  const isToday = date.toDateString() === now.toDateString()
  return el('time', { datetime: iso, title: iso }, isToday ? clock : `${day} ${clock}`)
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}
