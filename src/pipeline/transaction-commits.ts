import type { UnitCommits } from './group-commits.ts'
import type { PartitionFlow } from './partition-flow.ts'

/** Stands in for `groupCommits` under exactly-once: what is acknowledged was committed with its transaction. */
export function transactionCommits(onCommitted: (flow: PartitionFlow) => void): UnitCommits {
  return {
    mark(flow) {
      flow.committed = flow.committable
      onCommitted(flow)
    },
    flush: async () => {},
  }
}
