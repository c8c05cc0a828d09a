import type { Commits } from './commits.ts'
import type { PartitionFlow } from './partition-flow.ts'

/** Stands in for `Commits` under exactly-once: what is acknowledged was committed with its transaction. */
export function transactionCommits(onCommitted: (flow: PartitionFlow) => void): Pick<Commits, 'mark' | 'flush'> {
  return {
    mark(flow) {
      flow.committed = flow.committable
      onCommitted(flow)
    },
    flush: async () => {},
  }
}
