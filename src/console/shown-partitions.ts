import { bounded } from './bounded.ts'
import type { ConsoleSnapshot, PartitionView } from './console-api.ts'

/** More than a person reads, and little enough to be sent every second. */
const MAX_PARTITIONS = 500

/** Those that are behind most, in their own order, and how many are left out. */
export function shownPartitions(
  partitions: readonly PartitionView[],
): Pick<ConsoleSnapshot, 'partitions' | 'partitionsLeftOut'> {
  const { shown, leftOut } = bounded(partitions, MAX_PARTITIONS, (a, b) => b.lag - a.lag)
  return { partitions: shown, ...(leftOut.length > 0 && { partitionsLeftOut: leftOut.length }) }
}
