/** Where the newest records of a topic begin, found without keeping any of them. */
import type { KafkaPort, ScanRange } from './port.ts'

interface Position {
  readonly offset: number
  readonly timestamp: number
}

interface Tail {
  readonly partition: number
  readonly start: number
  readonly end: number
  /** Offsets below it were not looked at. */
  from: number
  /** The newest `count` records from there, in order. */
  positions: Position[]
}

/** Offsets hold no record where a transaction ended or compaction removed it: then it is looked so much further back. */
const FURTHER = 8

/**
 * One range per partition, empty or not, which together hold the newest `count` records of a topic and nothing else:
 * newest by timestamp, within a partition by offset. Reads the end of each partition once, and further back where records are sparse.
 */
export async function newestRanges(
  topic: string,
  count: number,
  port: Pick<KafkaPort, 'admin' | 'scan'>,
  signal?: AbortSignal,
): Promise<(ScanRange & { readonly from: number; readonly to: number })[]> {
  const offsets = await port.admin.offsets(topic)
  const tails = offsets.map(({ start, end }, partition): Tail => ({ partition, start, end, from: end, positions: [] }))
  for (let span = count; ; span *= FURTHER) {
    const short = new Map(
      tails.filter(tail => tail.from > tail.start && tail.positions.length < count).map(tail => [tail.partition, tail]),
    )
    if (short.size === 0 || signal?.aborted) break
    for (const tail of short.values()) {
      tail.from = Math.max(tail.start, tail.end - span)
      tail.positions = []
    }
    const ranges = [...short.values()].map(({ partition, from, end }) => ({ topic, partition, from, to: end }))
    for await (const block of port.scan(ranges, signal && { signal })) {
      const { positions } = short.get(block.partition)!
      for (let i = Math.max(0, block.count - count); i < block.count; i++)
        positions.push({ offset: block.offset(i), timestamp: block.timestamp(i) })
      positions.splice(0, Math.max(0, positions.length - count))
    }
  }
  const firsts = firstsOf(tails, count)
  return tails.map(tail => ({ topic, partition: tail.partition, from: firsts.get(tail) ?? tail.end, to: tail.end }))
}

/** Takes from the ends of the partitions, the newest first, until there are so many; the first offset that is taken of each. */
function firstsOf(tails: readonly Tail[], count: number): ReadonlyMap<Tail, number> {
  const taken = new Map<Tail, number>()
  for (let i = 0; i < count; i++) {
    let newest: Tail | undefined
    for (const tail of tails) {
      const next = tail.positions.at(-1)
      if (next && (newest === undefined || next.timestamp > newest.positions.at(-1)!.timestamp)) newest = tail
    }
    if (newest === undefined) break
    taken.set(newest, newest.positions.pop()!.offset)
  }
  return taken
}
