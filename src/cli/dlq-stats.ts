import { printable } from '../check/showable.ts'
import { LetterGroups } from '../dead-letters/letter-groups.ts'
import { scanLetters } from '../dead-letters/letter-scan.ts'
import { type DlqFlags, withDeadLetters } from './dlq-session.ts'
import { placeOf, table, timeText } from './dlq-text.ts'

/** Counts dead letters by what made them fail. */
export async function deadLetterStats(module: string, flags: DlqFlags): Promise<void> {
  await withDeadLetters(module, flags, async session => {
    const groups = new LetterGroups()
    const seen = await scanLetters(session, letter => groups.add(letter))
    session.progress.clear()
    const list = groups.list()
    if (flags.json === true) {
      console.log(printable(JSON.stringify({ seen, count: groups.count, groups: list, others: groups.others })))
      return
    }
    console.log(
      `${groups.count.toLocaleString('en')} of ${seen.toLocaleString('en')} dead letters, ${list.length} reasons`,
    )
    if (list.length === 0) return
    console.log(
      `\n${table(
        [
          'fingerprint',
          'count',
          'stage',
          'step',
          'code',
          'first seen',
          'last seen',
          'tries',
          'replayed',
          'example',
          'message',
        ],
        list.map(
          ({
            fingerprint,
            count,
            stage,
            step,
            code,
            firstSeen,
            lastSeen,
            attempts,
            replayed,
            mostReplays,
            example,
            message,
          }) => [
            ...[
              fingerprint,
              String(count),
              stage ?? '?',
              step ?? '-',
              code ?? '?',
              timeText(firstSeen),
              timeText(lastSeen),
            ],
            ...[String(attempts), replayed === 0 ? '0' : `${replayed} (≤ ${mostReplays}×)`, placeOf(example), message],
          ],
        ),
      )}`,
    )
    if (groups.others > 0) console.error(`\n${groups.others} more of reasons that are not told apart: select fewer`)
    console.error(`\none of them whole: kri dlq show ${module} <example>; them again: --fingerprint <hex>`)
  })
}
