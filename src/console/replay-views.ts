import { NO_LETTERS, readProgress } from '../dead-letters/replay-progress.ts'
import { type ReplayRun, readReplayRuns } from '../dead-letters/replay-runs.ts'
import { auditTopic } from '../kafka/topic-names.ts'
import type { ReplayView } from './console-api.ts'
import type { ConsoleParts } from './console-parts.ts'

const SHOWN = 20
/** Of those that have not ended, so many are asked for their progress. */
const ASKED = 4

/** Replays that the audit tells of, newest first. The audit is read again only when it has grown. */
export function replayLook({
  topology: { applicationId },
  port,
}: Pick<ConsoleParts, 'topology' | 'port'>): (signal: AbortSignal) => Promise<readonly ReplayView[]> {
  let readTo = -1
  let runs: readonly ReplayRun[] = []
  return async signal => {
    const topic = auditTopic(applicationId)
    const [described] = await port.admin.describeTopics([topic])
    if (described === undefined) return []
    const ends = await port.admin.offsets(topic)
    const end = ends.reduce((sum, each) => sum + each.end, 0)
    if (end !== readTo) {
      const read = await readReplayRuns(port, applicationId, signal)
      runs = [...read.runs.values()].reverse()
      readTo = end
    }
    let asked = 0
    return await Promise.all(
      runs.slice(0, SHOWN).map(async run => {
        const isOpen = run.state === 'running' || run.state === 'stopped'
        return viewOf(
          run,
          isOpen && asked++ < ASKED
            ? await readProgress(port, applicationId, run.name, run.order, run.lastEnd)
            : undefined,
        )
      }),
    )
  }
}

function viewOf(
  { name, by, reason, startedAt, state, lastEnd }: ReplayRun,
  progress:
    | { readonly done: number; readonly all: number; readonly counts: ReplayView | typeof NO_LETTERS }
    | undefined,
): ReplayView {
  const { replayed, parked, lost } = progress?.counts ?? lastEnd?.counts ?? NO_LETTERS
  const share = state === 'finished' ? 1 : progress && (progress.all === 0 ? 1 : progress.done / progress.all)
  return {
    ...{ name, by, startedAt, state, replayed, parked, lost },
    ...(reason !== undefined && { reason }),
    ...(share !== undefined && { progress: share }),
    ...(lastEnd?.problem !== undefined && { problem: lastEnd.problem }),
  }
}

/** What runs here is known better than the audit has it. */
export function withOwn(told: readonly ReplayView[], own: readonly ReplayView[]): readonly ReplayView[] {
  const names = new Set(own.map(({ name }) => name))
  return [...own, ...told.filter(({ name }) => !names.has(name))]
    .sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1))
    .slice(0, SHOWN)
}
