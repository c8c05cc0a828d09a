/**
 * Commits of each group by themselves. A group that joins answers none until it is in, which can take as long as its slowest
 * member; commits of the others, and their drains, do not wait for it.
 */
import type { Commits } from './commits.ts'
import type { PartitionFlow } from './partition-flow.ts'

/** What the pipeline needs of whoever commits. */
export interface UnitCommits {
  /** The flow's `committable` has moved. */
  mark(flow: PartitionFlow): void
  /** Commits what is acknowledged by now in the groups that read these topics; undefined: in all. */
  flush(topics?: ReadonlySet<string>): Promise<void>
}

/** @param groupOf the group that reads a topic */
export function groupCommits(
  groupOf: (topic: string) => string,
  create: () => Pick<Commits, 'mark' | 'flush'>,
): UnitCommits {
  const groups = new Map<string, Pick<Commits, 'mark' | 'flush'>>()
  return {
    mark(flow) {
      const group = groupOf(flow.topic)
      const commits = groups.get(group) ?? create()
      groups.set(group, commits)
      commits.mark(flow)
    },
    async flush(topics) {
      const wanted = topics && new Set([...topics].map(groupOf))
      const concerned = [...groups].filter(([group]) => wanted?.has(group) ?? true)
      await Promise.all(concerned.map(([, commits]) => commits.flush()))
    },
  }
}
