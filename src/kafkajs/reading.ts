import { RunInferenceError } from '../errors.ts'
import type { MemberOptions, OwnedPartition } from '../kafka/port.ts'
import type { RecordBlock } from '../kafka/record-block.ts'
import type { Clock } from '../ops/clock.ts'
import type { Backoff } from './backoff.ts'
import type { Sender } from './channel.ts'
import type { Cluster } from './cluster.ts'
import type { FetchedPartition } from './fetch-request.ts'

export type FetchSettings = Pick<MemberOptions, 'maxBytesPerPartition' | 'maxBytesPerFetch' | 'maxFetchWaitMs'>

/** What reading needs of the cluster. */
export interface ReaderCluster extends Pick<Cluster, 'topic' | 'leader' | 'refresh' | 'onRefresh'> {
  channel(nodeId: number, purpose: string): Sender
}

export interface ReaderContext {
  readonly cluster: ReaderCluster
  readonly clock: Clock
  readonly random: () => number
  /** Prefix of the channel purposes. */
  readonly purpose: string
  readonly settings: FetchSettings
  readonly onBlock: (block: RecordBlock, epoch: number) => void
  /** Something that reading needs fails (retriable), or works again (undefined); by what it is. */
  readonly onTrouble: (what: string, failure: RunInferenceError | undefined) => void
  readonly onFatal: (error: RunInferenceError) => void
}

/** A partition being read. */
export interface Reading {
  readonly topic: string
  readonly partition: number
  readonly epoch: number
  position: number
  paused: boolean
  /** Part of the long poll under way. */
  polling: boolean
  /** Part of the fetch under way on the second connection. */
  expressing: boolean
  /** The last answer brought nothing: a fetch may wait for data. */
  idle: boolean
  /** An answer that came while the partition was paused. */
  held: FetchedPartition | undefined
  /** Not to be fetched before this time of the clock, after an error. */
  notBeforeMs: number
  missingSinceMs: number
  readonly backoff: Backoff
}

export function newReading({ topic, partition, epoch, position }: OwnedPartition, backoff: Backoff): Reading {
  return {
    topic,
    partition,
    epoch,
    position,
    paused: false,
    polling: false,
    expressing: false,
    idle: false,
    held: undefined,
    notBeforeMs: 0,
    missingSinceMs: Number.POSITIVE_INFINITY,
    backoff,
  }
}

/** Why reading stops, and what an operator can do about it. */
export function outOfRange(reading: Reading, key: string, fetched: FetchedPartition): RunInferenceError {
  const range =
    fetched.logStartOffset >= 0
      ? `the log holds offsets ${fetched.logStartOffset} to ${fetched.highWatermark}`
      : 'the log does not hold it'
  return new RunInferenceError(
    'OFFSET_OUT_OF_RANGE',
    `${key}: reading was to go on at offset ${reading.position}, but ${range}. Records were deleted before they were read ` +
      '(retention), or the topic was created anew, or the committed offsets are of another cluster. Decide where to go on, ' +
      'set the committed offset of the group there (kafka-consumer-groups --reset-offsets), and start again.',
  )
}
