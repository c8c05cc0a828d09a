import type { KafkaPort } from '../kafka/port.ts'
import { replayGroup } from '../kafka/topic-names.ts'
import type { AuditEnd, LetterOffsets, ReplayCounts, ReplayOrder } from './replay-audit.ts'

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
}

/**
 * Reads what a run has committed: offsets, and with each the counts of its partition. What brokers have forgotten of a run that was
 * stopped long ago is what its audit says. `isFenced`: whoever asks has fenced the run, and goes on behind what this says; what the
 * transaction of before has of it is waited for.
 */
export async function readProgress(
  { admin }: Pick<KafkaPort, 'admin'>,
  applicationId: string,
  run: string,
  { bounds }: Pick<ReplayOrder, 'bounds'>,
  end?: Pick<AuditEnd, 'counts' | 'positions'>,
  isFenced = false,
): Promise<ReplayProgress> {
  const positions: Record<string, readonly number[]> = {}
  const ends: Record<string, readonly number[]> = {}
  const tallies = new Map<string, ReplayCounts>()
  let [done, all] = [0, 0]
  for (const [topic, bound] of Object.entries(bounds)) {
    const [commits, offsets] = await Promise.all([
      admin.commits(replayGroup(applicationId, run), topic, { isStable: isFenced }),
      admin.offsets(topic),
    ])
    const tos = bound.map((to, partition) => Math.min(to, offsets[partition]?.end ?? 0))
    ends[topic] = tos
    positions[topic] = tos.map((to, partition) => {
      const { offset = -1, metadata = '' } = commits[partition] ?? {}
      tallies.set(`${topic}/${partition}`, talliedIn(metadata))
      const start = Math.min(to, offsets[partition]?.start ?? to)
      const at = Math.min(to, Math.max(start, offset, end?.positions?.[topic]?.[partition] ?? 0))
      all += to - start
      done += at - start
      return at
    })
  }
  const told = [...tallies.values()].reduce(plus, NO_LETTERS)
  const untold = end === undefined ? NO_LETTERS : missingFrom(end.counts, told)
  return { positions, ends, counts: plus(told, untold), done, all, tallies, untold }
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
