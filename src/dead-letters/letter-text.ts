/** Facts of dead letters in words. Texts are as records have them: whoever prints them makes them harmless first. */
import type { DeadLetter } from './dead-letter.ts'

const HEX_BYTES = 512
const BYTES_PER_LINE = 16

/** As text, or in hexadecimal where they are none. */
export function bytesText(bytes: Buffer): string {
  const text = bytes.toString()
  return Buffer.from(text).equals(bytes) ? text : `hex:${bytes.toString('hex')}`
}

/** ISO 8601; undefined for a time that there cannot be. */
export function isoTime(ms: number): string | undefined {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString()
}

export function placeOf({ topic, partition, offset }: Pick<DeadLetter, 'topic' | 'partition' | 'offset'>): string {
  return `${topic}/${partition}/${offset}`
}

export function originalOf({ original: { topic, partition, offset } }: DeadLetter): string {
  return `${topic ?? '?'}/${partition ?? '?'}/${offset ?? '?'}`
}

/** The first bytes as `hexdump -C` shows them. */
export function hexLines(bytes: Buffer): string[] {
  const lines: string[] = []
  for (let at = 0; at < Math.min(bytes.length, HEX_BYTES); at += BYTES_PER_LINE) {
    const row = bytes.subarray(at, Math.min(at + BYTES_PER_LINE, HEX_BYTES))
    const text = row.toString('latin1').replace(/[^\x20-\x7e]/g, '.')
    const pairs = row
      .toString('hex')
      .replace(/../g, '$& ')
      .padEnd(BYTES_PER_LINE * 3)
    lines.push(`${at.toString(16).padStart(8, '0')}  ${pairs} |${text}|`)
  }
  if (bytes.length > HEX_BYTES) lines.push(`… ${bytes.length - HEX_BYTES} bytes more: kri dlq export has all of them`)
  return lines
}
