import { consumerGroups, sourcesByDistance } from './consumer-groups.ts'
import type { KafkaAdmin, LogEnd } from './kafka/port.ts'
import type { Topology } from './topology.ts'

export interface CaughtUpParts {
  readonly admin: Pick<KafkaAdmin, 'offsets' | 'committed'>
  /** Tries again through an outage. */
  readonly whenAvailable: <T>(attempt: () => Promise<T>) => Promise<T>
  /** Resolves when it is time to look again. */
  readonly pause: () => Promise<void>
  readonly isStopping: () => boolean
  /** Offsets of all partitions, now and then. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined
}

/**
 * Resolves true when the groups of a topology have committed everything that is in its topics now, and what that becomes on
 * its way from part to part, and all of it can be read; false when it was stopped before.
 */
export async function caughtUp(topology: Topology, parts: CaughtUpParts): Promise<boolean> {
  const groups = consumerGroups(topology)
  let before = 0
  for (const sources of sourcesByDistance(topology)) {
    const topics = sources.map(source => {
      const { id } = groups.find(group => group.sources.includes(source))!
      return { topic: source.topic, group: id }
    })
    // Those above have committed: what they wrote is there by now, though perhaps not to be read yet.
    const own = sources.flatMap(({ topic, writtenBy }) => (writtenBy === undefined ? [] : [topic]))
    if (!(await canBeRead(own, parts))) return false
    const done = await caughtUpTo(topics, before, parts)
    if (done === undefined) return false
    before += done
  }
  return canBeRead(
    topology.sinks.map(({ topic }) => topic),
    parts,
  )
}

/**
 * Waits for what is written in these topics by now. The offsets of a transaction may be seen as committed a moment before its
 * outputs can be read: its end is written into each partition by itself.
 */
async function canBeRead(
  topics: readonly string[],
  { admin, whenAvailable, pause, isStopping }: CaughtUpParts,
): Promise<boolean> {
  const ends = (end: LogEnd) =>
    whenAvailable(() => Promise.all(topics.map(async topic => (await admin.offsets(topic, end)).map(each => each.end))))
  const written = await ends('written')
  while (!isStopping()) {
    const stable = await ends('stable')
    if (written.every((partitions, i) => partitions.every((end, partition) => stable[i]![partition]! >= end)))
      return true
    await pause()
  }
  return false
}

/** How many offsets there were to commit; undefined when it was stopped before. */
async function caughtUpTo(
  topics: readonly { readonly topic: string; readonly group: string }[],
  before: number,
  { admin, whenAvailable, pause, isStopping, onProgress }: CaughtUpParts,
): Promise<number | undefined> {
  const ends = await whenAvailable(() => Promise.all(topics.map(({ topic }) => admin.offsets(topic))))
  // Per partition what is left; empty ones have nothing to commit.
  const left = async ({ topic, group }: (typeof topics)[number], i: number): Promise<number[]> => {
    const committed = await admin.committed(group, topic)
    const leftOf = (start: number, end: number, next: number) =>
      end > start ? Math.max(0, end - Math.max(start, next)) : 0
    return ends[i]!.map(({ start, end }, partition) => leftOf(start, end, committed[partition] ?? -1))
  }
  const sum = async () => (await Promise.all(topics.map(left))).flat().reduce((total, each) => total + each, 0)
  let total: number | undefined
  while (!isStopping()) {
    const rest = await whenAvailable(sum)
    total ??= rest
    onProgress?.(before + total - rest, before + total)
    if (rest === 0) return total
    await pause()
  }
  return undefined
}
