import type { ConsoleSnapshot, PartitionView } from './console-api.ts'

/** More than a person reads, and little enough to be sent every second. */
const MAX_PARTITIONS = 500

/** Those that are behind most, in their own order, and how many are left out. */
export function shownPartitions(
  partitions: readonly PartitionView[],
): Pick<ConsoleSnapshot, 'partitions' | 'partitionsLeftOut'> {
  if (partitions.length <= MAX_PARTITIONS) return { partitions }
  const behind = new Set(partitions.toSorted((a, b) => b.lag - a.lag).slice(0, MAX_PARTITIONS))
  return {
    partitions: partitions.filter(partition => behind.has(partition)),
    partitionsLeftOut: partitions.length - MAX_PARTITIONS,
  }
}
