/** Dead letters as people read them, in columns that no byte of a record can break. */
import { cut, printable } from '../check/showable.ts'
import type { DeadLetter } from '../dead-letters/dead-letter.ts'

const CELL_CHARS = 60

/** Lines of cells, in columns as wide as their widest cell; the last one is cut where it is long. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [head, ...rows].map(row =>
    row.map((cell, i) => printable(i < row.length - 1 ? cut(cell, CELL_CHARS) : cell)),
  )
  const widths = head.map((_, i) => Math.max(...cells.map(row => row[i]!.length)))
  return cells
    .map(row =>
      row
        .map((cell, i) => cell.padEnd(i < row.length - 1 ? widths[i]! : 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

export function keyText(key: Buffer | null): string {
  return key === null ? '(no key)' : bytesText(key)
}

/** As text, or in hexadecimal where they are none. */
export function bytesText(bytes: Buffer): string {
  const text = bytes.toString()
  return Buffer.from(text).equals(bytes) ? text : `hex:${bytes.toString('hex')}`
}

export function timeText(ms: number | null): string {
  if (ms === null) return '?'
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? `time ${ms}` : date.toISOString()
}

export function placeOf({ topic, partition, offset }: Pick<DeadLetter, 'topic' | 'partition' | 'offset'>): string {
  return `${topic}/${partition}/${offset}`
}

export function originalOf({ original: { topic, partition, offset } }: DeadLetter): string {
  return `${topic ?? '?'}/${partition ?? '?'}/${offset ?? '?'}`
}

/** Which function, of which step. */
export function whereOf({ step, node, index }: DeadLetter): string {
  const function_ = index === null ? '' : ` [${index}]`
  return `${step === null ? (node ?? '?') : step}${function_}`
}
