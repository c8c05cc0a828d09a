import { once } from 'node:events'
import { printable } from '../check/showable.ts'
import type { DeadLetter } from '../dead-letters/dead-letter.ts'
import { scanLetters } from '../dead-letters/letter-scan.ts'
import { NewestLetters } from '../dead-letters/newest-letters.ts'
import { type DlqFlags, type DlqSession, withDeadLetters } from './dlq-session.ts'
import { keyText, originalOf, placeOf, table, timeText, whereOf } from './dlq-text.ts'

const LIMIT_FOR_PEOPLE = 20

export interface LsFlags extends DlqFlags {
  readonly limit?: number
  readonly ndjson?: boolean
}

export interface ListedLetter {
  readonly letter: DeadLetter
  readonly key: string
}

/** Counts the dead letters that are selected, by topic, and shows the newest. With `--ndjson` all of them, as they are found. */
export async function listDeadLetters(module: string, flags: LsFlags): Promise<void> {
  await withDeadLetters(module, flags, async session => {
    const limit = flags.limit ?? LIMIT_FOR_PEOPLE
    const counts = new Map(session.topics.map(topic => [topic, 0]))
    const newest = new NewestLetters<ListedLetter>(flags.ndjson === true ? 0 : limit)
    const lines: string[] = []
    const behindBlock = async () => {
      // Whoever reads may be slower than Kafka.
      if (lines.length > 0 && !process.stdout.write(lines.splice(0).join('')))
        await once(process.stdout, 'drain', { signal: session.signal })
    }
    await scanLetters({ ...session, behindBlock }, (letter, block, row) => {
      counts.set(letter.topic, counts.get(letter.topic)! + 1)
      const key = keyText(block.key(row))
      if (flags.ndjson === true) lines.push(`${printable(JSON.stringify({ ...letter, key }))}\n`)
      newest.add(letter, () => ({ letter, key }))
    })
    session.progress.clear()
    if (flags.ndjson === true) return
    if (flags.json === true) printJson(counts, newest.list())
    else printText(counts, newest.list(), limit, session)
  })
}

function printJson(counts: ReadonlyMap<string, number>, newest: readonly ListedLetter[]): void {
  const count = sumOf(counts)
  const letters = newest.map(({ letter, key }) => ({ ...letter, key }))
  console.log(printable(JSON.stringify({ count, topics: Object.fromEntries(counts), letters })))
}

function printText(
  counts: ReadonlyMap<string, number>,
  newest: readonly ListedLetter[],
  limit: number,
  { module }: DlqSession,
): void {
  const count = sumOf(counts)
  console.log(
    table(
      ['dead letters', 'topic'],
      [...[...counts].map(([topic, each]) => [String(each), topic]), [String(count), 'all of these']],
    ),
  )
  if (newest.length === 0) return
  console.log(
    `\n${table(
      ['failed at', 'code', 'where', 'key', 'replays', 'dead letter', 'first read at', 'message'],
      newest.map(({ letter, key }) => [
        ...[timeText(letter.failedAt), letter.code ?? '?', whereOf(letter), key, String(letter.replayCount)],
        ...[placeOf(letter), originalOf(letter), (letter.message ?? '').split('\n')[0]!.slice(0, 120)],
      ]),
    )}`,
  )
  if (count > newest.length) console.error(`\nthe newest ${limit}; --limit shows more`)
  console.error(
    `\none of them whole: kri dlq show ${module} <dead letter>; what they have in common: kri dlq stats ${module}`,
  )
}

function sumOf(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, each) => sum + each, 0)
}
