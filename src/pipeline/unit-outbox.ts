import type { PartitionFlow } from './partition-flow.ts'

/** Writes what is done: `outbox.ts`, or `transactional-outbox.ts`. */
export interface UnitOutbox {
  /** Rows of this partition may have become done. */
  advance(flow: PartitionFlow): void
  /** The partition is gone, and everything that was taken of it. */
  lost?(flow: PartitionFlow): void
  /** A rebalance of the group that reads these topics is over, and this is what is owned. */
  joined?(topics: ReadonlySet<string>, owned: readonly PartitionFlow[]): void
}
