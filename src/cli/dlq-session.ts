import { type LetterRange, letterRanges } from '../dead-letters/letter-scan.ts'
import type { Selection } from '../dead-letters/selection.ts'
import { type CommandSession, unlessInterrupted, withSession } from './command-session.ts'
import { type SelectionFlags, selectedTopics, selectionOf } from './dlq-flags.ts'

export interface DlqFlags extends SelectionFlags {
  readonly json?: boolean
}

/** What every command about dead letters works with. */
export interface DlqSession extends CommandSession {
  readonly selection: Selection
  /** Dead-letter topics that selected letters may be in. */
  readonly topics: readonly string[]
  /** What was there at the begin. */
  readonly ranges: readonly LetterRange[]
  /** For scans: how far it is. */
  readonly onProgress: (done: number, all: number) => void
}

/** Rejects TOPIC_MISSING where a dead-letter topic does not exist. */
export async function withDeadLetters(
  module: string,
  flags: DlqFlags,
  work: (session: DlqSession) => Promise<void>,
): Promise<void> {
  await withSession(module, flags, async session => {
    const { topology, port, progress, signal } = session
    const selection = selectionOf(flags, topology, module)
    const topics = selectedTopics(topology, selection)
    const ranges = await unlessInterrupted(signal, letterRanges(port, topics, selection))
    const onProgress = (done: number, all: number) =>
      progress.show(
        `reading dead letters: ${done.toLocaleString('en')} of ${all.toLocaleString('en')} offsets`,
        done / all,
      )
    await work({ ...session, selection, topics, ranges, onProgress })
  })
}
