/** Looks from outside at how far a run has come: log ends and committed offsets, asked of the brokers. */
import type { KafkaAdmin } from '../src/kafka/port.ts'
import type { ChaosTopics } from './judge.ts'
import { until } from './until.ts'

export interface Partition {
  readonly topic: string
  readonly partition: number
}

/** Ends of the topics that are written by the application, by partition. */
export interface Written {
  readonly between: readonly number[]
  readonly output: readonly number[]
}

export interface Progress {
  /** Records of the input, and of the topic between, that are not committed. */
  readonly lag: number
  /** Records of the input that are through both steps, but for those that are dead letters in between. */
  readonly done: number
}

export interface Watch {
  written(): Promise<Written>
  progress(): Promise<Progress>
  /**
   * Resolves when what is read from each of these partitions has made something new come out, where `before` was written
   * already.
   */
  untilMoved(partitions: readonly Partition[], before: Written): Promise<void>
  /** Resolves when the lag is so small; rejects when it is not in time. */
  untilLag(records: number, deadlineMs?: number): Promise<void>
  /** Resolves when everything is committed. */
  untilDrained(): Promise<void>
}

const MOVED_DEADLINE_MS = 120_000
const CAUGHT_UP_DEADLINE_MS = 180_000

export function createWatch(
  admin: KafkaAdmin,
  topics: Pick<ChaosTopics, 'input' | 'between' | 'output'>,
  group: string,
  signal: AbortSignal,
): Watch {
  const endsOf = async (topic: string) => (await admin.offsets(topic)).map(({ end }) => end)
  const groupOfSecond = `${group}.${topics.between}`
  const watch: Watch = {
    async written() {
      const [between, output] = await Promise.all([endsOf(topics.between), endsOf(topics.output)])
      return { between, output }
    },
    async progress() {
      // Committed first: what is committed later must not be more than what there was.
      const committed = await admin.committed(group, topics.input)
      const committedBetween = await admin.committed(groupOfSecond, topics.between)
      const ends = await endsOf(topics.input)
      const endsBetween = await endsOf(topics.between)
      const lagBetween = lagOf(endsBetween, committedBetween)
      return {
        lag: lagOf(ends, committed) + lagBetween,
        done: committed.reduce((sum, offset) => sum + Math.max(0, offset), 0) - lagBetween,
      }
    },
    untilMoved(partitions, before) {
      // Replay topics have nothing to come out.
      const waiting = new Set(partitions.filter(({ topic }) => topic === topics.input || topic === topics.between))
      const look = async () => {
        const { between, output } = await watch.written()
        for (const each of waiting) {
          const [now, then] = each.topic === topics.input ? [between, before.between] : [output, before.output]
          if (now[each.partition]! > then[each.partition]!) waiting.delete(each)
        }
        return waiting.size === 0
      }
      return until('something new has come out', look, { signal, deadlineMs: MOVED_DEADLINE_MS })
    },
    untilLag(records, deadlineMs = CAUGHT_UP_DEADLINE_MS) {
      const look = async () => (await watch.progress()).lag <= records
      return until(`the lag is at most ${records}`, look, { signal, deadlineMs, everyMs: 250 })
    },
    untilDrained: () => watch.untilLag(0),
  }
  return watch
}

function lagOf(ends: readonly number[], committed: readonly number[]): number {
  return ends.reduce((sum, end, partition) => sum + end - Math.max(0, committed[partition]!), 0)
}
