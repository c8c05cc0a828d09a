/** Dead letters as people read them, in columns that no byte of a record can break. */
import { cut, printable } from '../check/showable.ts'
import type { DeadLetter } from '../dead-letters/dead-letter.ts'
import { bytesText, isoTime } from '../dead-letters/letter-text.ts'

export { bytesText, originalOf, placeOf } from '../dead-letters/letter-text.ts'

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

export function timeText(ms: number | null): string {
  return ms === null ? '?' : (isoTime(ms) ?? `time ${ms}`)
}

/** Which function, of which step. */
export function whereOf({ step, node, index }: DeadLetter): string {
  const function_ = index === null ? '' : ` [${index}]`
  return `${step === null ? (node ?? '?') : step}${function_}`
}
