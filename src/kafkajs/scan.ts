/** Reads ranges of partitions without a group: for the console, for tools, and for tables that are read to their end. */
import { RunInferenceError } from '../errors.ts'
import { limitBlock } from '../kafka/limited-block.ts'
import type { ScanRange } from '../kafka/port.ts'
import { readRecordBlock } from '../kafka/record-batch-reader.ts'
import type { RecordBlock } from '../kafka/record-block.ts'
import type { Clock } from '../ops/clock.ts'
import { Backoff } from './backoff.ts'
import type { Cluster } from './cluster.ts'
import { type FetchAnswer, type FetchedPartition, fetchRequest } from './fetch-request.ts'
import { EARLIEST, LATEST, listOffsets } from './list-offsets.ts'
import { partitionKey } from './partition-key.ts'
import { assertAnswer, brokerError, clientError, errorName } from './protocol-errors.ts'
import { requireTopics } from './topic-check.ts'

const MAX_WAIT_MS = 500
const MAX_BYTES_PER_PARTITION = 1024 * 1024
const MAX_BYTES = 8 * 1024 * 1024
/** How long reading may bring nothing but failures. */
const DEADLINE_MS = 60_000

export interface ScanContext {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly random: () => number
  readonly purpose: string
}

interface OpenRange {
  readonly topic: string
  readonly partition: number
  position: number
  readonly end: number
}

export async function* scan(
  context: ScanContext,
  ranges: readonly ScanRange[],
  signal?: AbortSignal,
): AsyncGenerator<RecordBlock, void, undefined> {
  const persist = persistence(context, signal)
  try {
    const open = await persist(() => openRanges(context, ranges))
    while (open.size > 0 && !signal?.aborted) {
      for (const fetched of await persist(() => fetchSome(context, open))) {
        const range = open.get(partitionKey(fetched.topic, fetched.partition))
        if (range === undefined) continue
        const block = takeBlock(range, fetched)
        if (range.position >= range.end) open.delete(partitionKey(range.topic, range.partition))
        if (block !== undefined) yield block
      }
    }
  } finally {
    context.cluster.closePurposes(`${context.purpose} `)
  }
}

/** Ranges that hold anything, by `partitionKey`, with both ends as offsets. */
async function openRanges(context: ScanContext, ranges: readonly ScanRange[]): Promise<Map<string, OpenRange>> {
  const { cluster, purpose } = context
  await requireTopics(context, [...new Set(ranges.map(range => range.topic))])
  const ask = (which: readonly ScanRange[], timestampMs: number) =>
    listOffsets(
      cluster,
      purpose,
      which.map(({ topic, partition }) => ({ topic, partition, timestampMs })),
    )
  const starts = await ask(
    ranges.filter(range => range.from === 'earliest'),
    EARLIEST,
  )
  const ends = await ask(
    ranges.filter(range => range.to === 'end'),
    LATEST,
  )
  const open = new Map<string, OpenRange>()
  for (const { topic, partition, from, to } of ranges) {
    const key = partitionKey(topic, partition)
    const position = from === 'earliest' ? starts.get(key)! : from
    const end = to === 'end' ? ends.get(key)! : to
    if (position < end) open.set(key, { topic, partition, position, end })
  }
  return open
}

/** One fetch, from the leader of the range that has waited longest. */
async function fetchSome(context: ScanContext, open: Map<string, OpenRange>): Promise<readonly FetchedPartition[]> {
  const { cluster, purpose } = context
  const [first] = open.values()
  const leader = cluster.leader(first!.topic, first!.partition)
  if (leader < 0) {
    await cluster.refresh()
    throw brokerError('LEADER_NOT_AVAILABLE', `Reading ${first!.topic}/${first!.partition}`)
  }
  const together = [...open].filter(([, range]) => cluster.leader(range.topic, range.partition) === leader)
  for (const [key, range] of together) {
    // To the end of the map: other brokers come first next time.
    open.delete(key)
    open.set(key, range)
  }
  const answer: FetchAnswer = await cluster.channel(leader, purpose).send(
    fetchRequest({
      partitions: together.map(([, { topic, partition, position }]) => ({
        topic,
        partition,
        offset: position,
        maxBytes: MAX_BYTES_PER_PARTITION,
      })),
      isolation: 'read_committed',
      maxWaitMs: MAX_WAIT_MS,
      minBytes: 1,
      maxBytes: MAX_BYTES,
    }),
  )
  assertAnswer(answer.errorCode, 'Fetching')
  const failed = answer.partitions.find(fetched => fetched.errorCode !== 0)
  if (failed) {
    const failure = brokerError(
      errorName(failed.errorCode),
      `Reading ${failed.topic}/${failed.partition}`,
      `Read on topic '${failed.topic}'`,
    )
    if (failure.retriable) await cluster.refresh()
    throw failure
  }
  return answer.partitions
}

/** Moves the range on; undefined when there is no record in what was fetched. */
function takeBlock(range: OpenRange, fetched: FetchedPartition): RecordBlock | undefined {
  const block = readRecordBlock({
    topic: range.topic,
    partition: range.partition,
    records: fetched.records,
    startOffset: range.position,
    endOffset: fetched.lastStableOffset,
    abortedTransactions: fetched.abortedTransactions,
  })
  range.position = Math.min(block.nextOffset, range.end)
  const limited = limitBlock(block, range.end)
  return limited.count === 0 ? undefined : limited
}

function persistence({ clock, random }: ScanContext, signal: AbortSignal | undefined) {
  const backoff = new Backoff(clock, random)
  return async <T>(attempt: () => Promise<T>): Promise<T> => {
    const deadlineMs = clock.now() + DEADLINE_MS
    for (;;) {
      try {
        const result = await attempt()
        backoff.reset()
        return result
      } catch (error) {
        const failure = clientError(error, 'Reading a range')
        if (signal?.aborted) throw new RunInferenceError('CLOSED', 'Reading a range was ended by its caller.')
        if (!failure.retriable || clock.now() > deadlineMs) throw failure
        await backoff.wait(signal)
      }
    }
  }
}
