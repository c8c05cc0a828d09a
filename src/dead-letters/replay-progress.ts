import { RunInferenceError } from '../errors.ts'
import type { GroupCommit, KafkaPort, PartitionOffset } from '../kafka/port.ts'
import { replayGroup } from '../kafka/topic-names.ts'
import type { AuditEnd, LetterOffsets, ReplayCounts, ReplayOrder } from './replay-audit.ts'
import type { ReplayRun } from './replay-runs.ts'

export const NO_LETTERS: ReplayCounts = { replayed: 0, parked: 0, lost: 0 }

/** How far a run is, whoever runs it. */
export interface ReplayProgress {
  /** Offsets behind the letters that were looked at; where nothing was, where the log begins. */
  readonly positions: LetterOffsets
  /** The bounds, or where logs end before them: those of topics that were deleted and made anew, or cut by their brokers. */
  readonly ends: LetterOffsets
  readonly counts: ReplayCounts
  /** Of how many offsets how many are behind. */
  readonly done: number
  readonly all: number
  /** Counts by dead-letter topic and partition, of which `counts` is made, and what is known besides. */
  readonly tallies: ReadonlyMap<string, ReplayCounts>
  readonly untold: ReplayCounts
  /** Positions of partitions that have letters below the bounds, looked at or not. */
  readonly filled: readonly PartitionOffset[]
  /** Something is committed of each of these. */
  readonly isCommitted: boolean
}

/**
 * Reads what a run has committed: offsets, and with each the counts of its partition. What brokers have forgotten of a run that was
 * stopped long ago is what its audit says. `isFenced`: whoever asks has fenced the run, and goes on behind what this says; what the
 * transaction of before has of it is waited for.
 */
export function readProgress(
  { admin }: Pick<KafkaPort, 'admin'>,
  applicationId: string,
  run: string,
  order: Pick<ReplayOrder, 'bounds'>,
  end?: Pick<AuditEnd, 'counts' | 'positions'>,
  isFenced = false,
): Promise<ReplayProgress> {
  const group = replayGroup(applicationId, run)
  return progressOf(admin, order, topic => admin.commits(group, topic, { isStable: isFenced }), end)
}

/** That of a run that begins, whatever was committed under its name before. */
export function firstProgress(
  { admin }: Pick<KafkaPort, 'admin'>,
  order: Pick<ReplayOrder, 'bounds'>,
): Promise<ReplayProgress> {
  return progressOf(admin, order, async () => [])
}

/**
 * What is committed together with the start of a run. So a run that has begun and has nothing committed is one that was forgotten,
 * and its counts are whole where they are committed.
 */
export function startOffsets({ filled, tallies, untold }: ReplayProgress): readonly PartitionOffset[] {
  return filled.map(({ topic, partition, offset }, i) => {
    const own = tallies.get(`${topic}/${partition}`)!
    return { topic, partition, offset, metadata: tallyText(i === 0 ? plus(own, untold) : own) }
  })
}

/** Throws REPLAY_FORGOTTEN where a run was begun, did not say how far it came, and brokers do not say it either. */
export function requireKnown(
  { isCommitted }: Pick<ReplayProgress, 'isCommitted'>,
  { name, by, startedAt, state, lastEnd }: Pick<ReplayRun, 'name' | 'by' | 'startedAt' | 'state' | 'lastEnd'>,
): void {
  if (isCommitted || (state !== 'running' && lastEnd?.positions !== undefined)) return
  throw new RunInferenceError(
    'REPLAY_FORGOTTEN',
    `run ${name} (started by ${by} at ${startedAt}) did not end, and brokers have forgotten how far it came ` +
      '(offsets.retention.minutes): to go on would write letters a second time. ' +
      `End it for good with --name ${name} --cancel. Then begin another run, of letters that it cannot have written: ` +
      `those that failed since (--since ${startedAt}), and those that are not where it wrote them (--letter topic/partition/from-until)`,
  )
}

async function progressOf(
  admin: KafkaPort['admin'],
  { bounds }: Pick<ReplayOrder, 'bounds'>,
  commitsOf: (topic: string) => Promise<readonly GroupCommit[]>,
  end?: Pick<AuditEnd, 'counts' | 'positions'>,
): Promise<ReplayProgress> {
  const positions: Record<string, readonly number[]> = {}
  const ends: Record<string, readonly number[]> = {}
  const tallies = new Map<string, ReplayCounts>()
  const filled: PartitionOffset[] = []
  let [done, all, isCommitted] = [0, 0, true]
  for (const [topic, bound] of Object.entries(bounds)) {
    const [commits, offsets] = await Promise.all([commitsOf(topic), admin.offsets(topic)])
    const tos = bound.map((to, partition) => Math.min(to, offsets[partition]?.end ?? 0))
    ends[topic] = tos
    positions[topic] = tos.map((to, partition) => {
      const { offset = -1, metadata = '' } = commits[partition] ?? {}
      tallies.set(`${topic}/${partition}`, talliedIn(metadata))
      const start = Math.min(to, offsets[partition]?.start ?? to)
      const at = Math.min(to, Math.max(start, offset, end?.positions?.[topic]?.[partition] ?? 0))
      all += to - start
      done += at - start
      if (start < to) {
        filled.push({ topic, partition, offset: at })
        isCommitted &&= offset >= 0
      }
      return at
    })
  }
  const told = [...tallies.values()].reduce(plus, NO_LETTERS)
  const untold = end === undefined ? NO_LETTERS : missingFrom(end.counts, told)
  return { positions, ends, counts: plus(told, untold), done, all, tallies, untold, filled, isCommitted }
}

/** What is committed with an offset. */
export function tallyText({ replayed, parked, lost }: ReplayCounts): string {
  return `${replayed} ${parked} ${lost}`
}

export function plus(a: ReplayCounts, b: ReplayCounts): ReplayCounts {
  return { replayed: a.replayed + b.replayed, parked: a.parked + b.parked, lost: a.lost + b.lost }
}

function missingFrom(counts: ReplayCounts, told: ReplayCounts): ReplayCounts {
  const missing = (what: keyof ReplayCounts) => Math.max(0, counts[what] - told[what])
  return { replayed: missing('replayed'), parked: missing('parked'), lost: missing('lost') }
}

/** Anybody may commit for any group: what cannot be read is nothing. */
function talliedIn(metadata: string): ReplayCounts {
  const match = /^(\d{1,15}) (\d{1,15}) (\d{1,15})$/.exec(metadata)
  if (!match) return NO_LETTERS
  const [replayed, parked, lost] = match.slice(1).map(Number) as [number, number, number]
  return { replayed, parked, lost }
}
