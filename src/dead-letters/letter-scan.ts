import type { KafkaPort, ScanRange } from '../kafka/port.ts'
import type { RecordBlock } from '../kafka/record-block.ts'
import { type DeadLetter, deadLetterOf } from './dead-letter.ts'
import { type OffsetRange, type Selection, type Selects, selects } from './selection.ts'
import { scanWhole } from './whole-scan.ts'

/** Offsets of one dead-letter topic; `to` is not included. */
export type LetterRange = ScanRange & { readonly from: number; readonly to: number }

export interface LetterScan {
  readonly port: Pick<KafkaPort, 'scan'>
  readonly ranges: readonly LetterRange[]
  readonly selection: Selection
  /** Of those that are selected, these alone. */
  readonly isOpen?: Selects
  readonly signal: AbortSignal
  /** With each block: of how many offsets how many are behind. */
  readonly onProgress?: (done: number, all: number) => void
  /** Waited for behind each block. */
  readonly behindBlock?: () => Promise<void>
}

/** What is there now of these topics, without what the selection leaves out by offsets of letters. */
export async function letterRanges(
  { admin }: Pick<KafkaPort, 'admin'>,
  topics: readonly string[],
  selection: Selection = {},
): Promise<readonly LetterRange[]> {
  const places = selection.offsets?.every(({ of }) => of === 'letter') ? selection.offsets : undefined
  const ranges = await Promise.all(
    topics.map(async topic => {
      const ends = await admin.offsets(topic)
      return ends.map(({ start, end }, partition) => narrowed({ topic, partition, from: start, to: end }, places))
    }),
  )
  return ranges.flat().filter(({ from, to }) => from < to)
}

/**
 * Calls `visit` for each letter that is selected, in the order of its partition; false ends the scan. A block is gone when the
 * next one is read: what is kept of a row has to be copied. How many letters were looked at. Rejects CLOSED when its signal comes first.
 */
export async function scanLetters(
  { port, ranges, selection, isOpen, signal, onProgress, behindBlock }: LetterScan,
  visit: (letter: DeadLetter, block: RecordBlock, row: number) => unknown,
): Promise<number> {
  const isSelected = selects(selection)
  const all = ranges.reduce((sum, { from, to }) => sum + to - from, 0)
  const behind = new Map(ranges.map(range => [`${range.topic}/${range.partition}`, range.from]))
  let [done, seen] = [0, 0]
  for await (const block of scanWhole(port, ranges, signal)) {
    const place = `${block.topic}/${block.partition}`
    done += block.nextOffset - behind.get(place)!
    behind.set(place, block.nextOffset)
    for (let row = 0; row < block.count; row++) {
      seen++
      const letter = deadLetterOf(block, row)
      if (!isSelected(letter, block, row) || isOpen?.(letter, block, row) === false) continue
      if (visit(letter, block, row) === false) return seen
    }
    onProgress?.(Math.min(done, all), all)
    await behindBlock?.()
  }
  return seen
}

/** From the first to the last offset that any of these ranges has in it. */
function narrowed(range: LetterRange, places: readonly OffsetRange[] | undefined): LetterRange {
  if (places === undefined) return range
  const own = places.filter(
    ({ topic, partition }) => partition === range.partition && (topic ?? range.topic) === range.topic,
  )
  if (own.length === 0) return { ...range, to: range.from }
  const from = Math.min(...own.map(place => place.from ?? 0))
  const until = Math.max(...own.map(place => place.until ?? Number.POSITIVE_INFINITY))
  return { ...range, from: Math.max(range.from, from), to: Math.min(range.to, until) }
}
