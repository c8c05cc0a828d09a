/** Notices that a replay has ended, also one that was too short to be seen running. */
import type { ReplayView } from '../console-api.ts'

/** True when one has ended since the last call; the first call only learns what had ended before. */
export function watchEnds(): (replays: readonly ReplayView[]) => boolean {
  let known: ReadonlySet<string> | undefined
  return replays => {
    const now = new Set(replays.filter(({ state }) => state !== 'running').map(endOf))
    const before = known
    known = now
    return before !== undefined && [...now].some(end => !before.has(end))
  }
}

/** One name may run again. */
function endOf({ name, state, replayed, parked, lost }: ReplayView): string {
  return [name, state, replayed, parked, lost].join(' ')
}
