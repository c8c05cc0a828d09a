import type { PartitionView } from './console-api.ts'
import type { ConsoleParts } from './console-parts.ts'

/** Of these that are behind most, the age of the first record that is not done is looked at. */
const SAMPLED = 4

/** How old the oldest record is that is not done, of the partitions that are behind most; 0 where none is. */
export async function lagSeconds(
  { port, clock }: Pick<ConsoleParts, 'port' | 'clock'>,
  partitions: readonly PartitionView[],
  signal: AbortSignal,
): Promise<number> {
  const behind = partitions.filter(({ lag }) => lag > 0).toSorted((a, b) => b.lag - a.lag)
  const ages = await Promise.all(
    behind.slice(0, SAMPLED).map(async ({ topic, partition, committed }) => {
      const range = { topic, partition, from: committed, to: committed + 1 }
      for await (const block of port.scan([range], { signal }))
        if (block.count > 0) return Math.max(0, (clock.wallTime() - block.timestamp(0)) / 1_000)
      // A marker of a transaction, or what compaction has left of a record.
      return 0
    }),
  )
  return Math.max(0, ...ages)
}
