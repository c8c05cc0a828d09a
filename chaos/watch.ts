/** Looks from outside at how far a run has come: committed offsets and log ends, asked of the brokers. */
import type { KafkaAdmin } from '../src/kafka/port.ts'
import type { ChaosTopics } from './judge.ts'
import { until } from './until.ts'

export interface Partition {
  readonly topic: string
  readonly partition: number
}

/**
 * The committed offsets of what is read, by partition. They move when something new has come out, and not before: log ends of
 * outputs also move when a transaction is aborted.
 */
export interface Position {
  readonly input: readonly number[]
  readonly between: readonly number[]
}

export interface Progress {
  /** Records of the input, and of the topic between, that are not committed. */
  readonly lag: number
  /** Records of the input that are through both steps, but for those that are dead letters in between. */
  readonly done: number
  /** Partitions with records that are not committed, and how many. */
  readonly behind: Readonly<Record<string, number>>
}

export interface Watch {
  /** Asks until it is answered: brokers may be gone, and coordinators move. */
  position(): Promise<Position>
  progress(): Promise<Progress>
  /**
   * Resolves when what is read from each of these partitions has made something new come out, where `before` had come out
   * already.
   */
  untilMoved(partitions: readonly Partition[], before: Position): Promise<void>
  /** Resolves when the lag is so small; rejects when it is not in time. */
  untilLag(records: number, deadlineMs?: number): Promise<void>
  /** Resolves when everything is committed. */
  untilDrained(): Promise<void>
}

const ANSWER_DEADLINE_MS = 60_000
const MOVED_DEADLINE_MS = 120_000
const CAUGHT_UP_DEADLINE_MS = 180_000

export function createWatch(
  admin: KafkaAdmin,
  topics: Pick<ChaosTopics, 'input' | 'between'>,
  group: string,
  signal: AbortSignal,
): Watch {
  const endsOf = async (topic: string) => (await admin.offsets(topic)).map(({ end }) => end)
  const groupOfSecond = `${group}.${topics.between}`
  const committed = async (): Promise<Position> => ({
    input: await admin.committed(group, topics.input),
    between: await admin.committed(groupOfSecond, topics.between),
  })
  const watch: Watch = {
    async position() {
      let position: Position | undefined
      const look = async () => {
        position = await committed()
        return true
      }
      await until('the brokers say what is committed', look, { signal, deadlineMs: ANSWER_DEADLINE_MS })
      return position!
    },
    async progress() {
      // Committed first: what is committed later must not be more than what there was.
      const { input, between } = await committed()
      const ends = await endsOf(topics.input)
      const lags = { input: lagsOf(ends, input), between: lagsOf(await endsOf(topics.between), between) }
      const lagBetween = sumOf(lags.between)
      return {
        lag: sumOf(lags.input) + lagBetween,
        done: sumOf(input.map(offset => Math.max(0, offset))) - lagBetween,
        behind: { ...named(topics.input, lags.input), ...named(topics.between, lags.between) },
      }
    },
    untilMoved(partitions, before) {
      // Replay topics have nothing to come out.
      const waiting = new Set(partitions.filter(({ topic }) => topic === topics.input || topic === topics.between))
      const look = async () => {
        const now = await committed()
        for (const each of waiting) {
          const step = each.topic === topics.input ? 'input' : 'between'
          if (now[step][each.partition]! > before[step][each.partition]!) waiting.delete(each)
        }
        return waiting.size === 0
      }
      return until('something new has come out', look, { signal, deadlineMs: MOVED_DEADLINE_MS })
    },
    untilLag(records, deadlineMs = CAUGHT_UP_DEADLINE_MS) {
      let behind: Progress['behind'] = {}
      const look = async () => {
        const progress = await watch.progress()
        behind = progress.behind
        return progress.lag <= records
      }
      const standing = () => JSON.stringify(behind)
      return until(`the lag is at most ${records}`, look, { signal, deadlineMs, everyMs: 250, standing })
    },
    untilDrained: () => watch.untilLag(0),
  }
  return watch
}

function lagsOf(ends: readonly number[], committed: readonly number[]): readonly number[] {
  return ends.map((end, partition) => end - Math.max(0, committed[partition]!))
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0)
}

function named(topic: string, lags: readonly number[]): Readonly<Record<string, number>> {
  return Object.fromEntries(lags.flatMap((lag, partition) => (lag > 0 ? [[`${topic}/${partition}`, lag]] : [])))
}
