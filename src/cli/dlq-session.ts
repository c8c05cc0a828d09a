import { printable } from '../check/showable.ts'
import { type LetterRange, letterRanges } from '../dead-letters/letter-scan.ts'
import { selectedTopics } from '../dead-letters/letter-topics.ts'
import { openLetters } from '../dead-letters/open-letters.ts'
import type { Selection, Selects } from '../dead-letters/selection.ts'
import type { RunInferenceError } from '../errors.ts'
import { type CommandSession, unlessInterrupted, withSession } from './command-session.ts'
import { type SelectionFlags, selectionOf } from './dlq-flags.ts'

export interface DlqFlags extends SelectionFlags {
  readonly open?: boolean
  readonly json?: boolean
}

/** What every command about dead letters works with. */
export interface DlqSession extends CommandSession {
  readonly selection: Selection
  /** With `--open`: whether no replay has handled a letter. */
  readonly isOpen?: Selects
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
    const isOpen = flags.open === true ? await openOf(session, topics) : undefined
    await work({ ...session, selection, topics, ranges, onProgress, ...(isOpen && { isOpen }) })
  })
}

function openOf({ topology, port, signal }: CommandSession, topics: readonly string[]): Promise<Selects> {
  const { applicationId } = topology
  return unlessInterrupted(signal, openLetters({ port, applicationId, topics, signal, onBad: sayUnreadable }))
}

/** What a record of the audit says of letters is missing, so more of them count as open. */
export function sayUnreadable(error: RunInferenceError): void {
  console.error(error.message.split('\n').map(printable).join('\n'))
}
