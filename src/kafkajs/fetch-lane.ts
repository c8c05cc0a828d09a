import type { RunInferenceError } from '../errors.ts'
import { sleep } from '../ops/clock.ts'
import { Backoff } from './backoff.ts'
import { type FetchAnswer, type FetchedPartition, fetchRequest } from './fetch-request.ts'
import { partitionKey } from './partition-key.ts'
import { brokerError, clientError, errorName } from './protocol-errors.ts'
import type { ReaderContext, Reading } from './reading.ts'

export interface FetchLaneEvents {
  /** One partition of an answer; `askedOffset` is where it was asked for. */
  onPartition(reading: Reading, askedOffset: number, fetched: FetchedPartition): void
  /** The fetch ended. After a failure the lane stays busy for a while, until `onRetry`. */
  onDone(failure: RunInferenceError | undefined): void
  onRetry(): void
}

/**
 * A broker looks at every partition of a fetch, whatever it brings: with 64 partitions and a record every few milliseconds that was
 * 40 % of its work. So a poll of many partitions that brought little is followed by a pause, as long as the partitions are many, in
 * which more comes together.
 */
const FEW_PARTITIONS = 8
const PAUSE_MS_PER_PARTITION = 0.1
const MAX_PAUSE_MS = 20
const LITTLE_BYTES = 64 * 1024

/** One connection to one broker that carries at most one fetch. */
export class FetchLane {
  readonly #context: ReaderContext
  readonly #leader: number
  readonly #flag: 'polling' | 'expressing'
  readonly #events: FetchLaneEvents
  readonly #backoff: Backoff
  #busy = false
  #turn = 0

  constructor(context: ReaderContext, leader: number, flag: 'polling' | 'expressing', events: FetchLaneEvents) {
    this.#context = context
    this.#leader = leader
    this.#flag = flag
    this.#events = events
    this.#backoff = new Backoff(context.clock, context.random)
  }

  get busy(): boolean {
    return this.#busy
  }

  /** Fetches these partitions, all led by this broker; `waitMs` is how long the broker may wait for data. */
  fetch(readings: readonly Reading[], waitMs: number): void {
    this.#busy = true
    for (const reading of readings) reading[this.#flag] = true
    void this.#run(this.#rotated(readings), waitMs)
  }

  async #run(readings: readonly Reading[], waitMs: number): Promise<void> {
    const asked = new Map(readings.map(r => [partitionKey(r.topic, r.partition), { reading: r, offset: r.position }]))
    let failure: RunInferenceError | undefined
    try {
      const answer = await this.#send(readings, waitMs)
      this.#backoff.reset()
      const pauseMs = this.#flag === 'polling' ? pauseAfter(answer) : 0
      // In a pause they stay with the poll, or the second connection would fetch them meanwhile.
      if (pauseMs === 0) this.#release(readings)
      for (const fetched of answer.partitions) {
        const question = asked.get(partitionKey(fetched.topic, fetched.partition))
        if (question) this.#events.onPartition(question.reading, question.offset, fetched)
      }
      if (pauseMs > 0) {
        await sleep(this.#context.clock, pauseMs)
        this.#release(readings)
      }
    } catch (error) {
      failure = clientError(error, `Fetching from broker ${this.#leader}`)
      this.#release(readings)
    }
    if (failure === undefined) {
      this.#busy = false
      this.#events.onDone(undefined)
      return
    }
    this.#events.onDone(failure)
    await this.#backoff.wait()
    this.#busy = false
    this.#events.onRetry()
  }

  async #send(readings: readonly Reading[], waitMs: number): Promise<FetchAnswer> {
    const { cluster, purpose, settings } = this.#context
    const channel = cluster.channel(this.#leader, `${purpose}:${this.#flag}`)
    const answer = await channel.send(
      fetchRequest({
        partitions: readings.map(({ topic, partition, position }) => ({
          topic,
          partition,
          offset: position,
          maxBytes: settings.maxBytesPerPartition,
        })),
        isolation: 'read_committed',
        maxWaitMs: waitMs,
        minBytes: 1,
        maxBytes: settings.maxBytesPerFetch,
      }),
    )
    if (answer.errorCode !== 0) throw brokerError(errorName(answer.errorCode), 'Fetch')
    return answer
  }

  #release(readings: readonly Reading[]): void {
    for (const reading of readings) reading[this.#flag] = false
  }

  /** The broker fills an answer in the order of the request: each time another partition comes first. */
  #rotated(readings: readonly Reading[]): readonly Reading[] {
    this.#turn = (this.#turn + 1) % readings.length
    return [...readings.slice(this.#turn), ...readings.slice(0, this.#turn)]
  }
}

function pauseAfter({ partitions }: FetchAnswer): number {
  const many = partitions.length - FEW_PARTITIONS
  if (many <= 0) return 0
  let bytes = 0
  for (const { records } of partitions) bytes += records.length
  return bytes === 0 || bytes >= LITTLE_BYTES ? 0 : Math.min(many * PAUSE_MS_PER_PARTITION, MAX_PAUSE_MS)
}
