/**
 * Reads the partitions that a member owns and is not told to pause, without a promise or timer per partition.
 *
 * R1 One long poll per broker over all its partitions. A partition that is new or resumed while that poll is under way
 *    is fetched at once over a second connection, and joins the next long poll.
 * R2 A block is passed on only if the partition still has the epoch and position that were asked for, and is not paused:
 *    so blocks of a partition come in order, without gaps, and none for an epoch that ended.
 * R3 Positions also advance over control records and batches that compaction emptied; a block without records says so,
 *    or the committed offset would never reach the end of such a log.
 * R4 Answers are read per partition: one that has moved to another broker does not hold up the others.
 * R5 An answer that comes while its partition is paused is held until it is resumed, as far as `maxBytesPerFetch` goes for
 *    all partitions together; what is beyond that is dropped and fetched again.
 * R6 Nothing is skipped: an offset that the log does not have, or records that cannot be read, stop the reader and say so.
 * R7 A poll of many partitions that brought little is followed by a pause of milliseconds (`fetch-lane.ts`), never one of few.
 */
import { RunInferenceError } from '../errors.ts'
import type { OwnedPartition, TopicPartition } from '../kafka/port.ts'
import { readRecordBlock } from '../kafka/record-batch-reader.ts'
import type { RecordBlock } from '../kafka/record-block.ts'
import { Backoff } from './backoff.ts'
import { FetchLane } from './fetch-lane.ts'
import type { FetchedPartition } from './fetch-request.ts'
import { partitionKey } from './partition-key.ts'
import { brokerError, clientError, errorName } from './protocol-errors.ts'
import { newReading, outOfRange, type ReaderContext, type Reading } from './reading.ts'
import { troubleWith } from './troubles.ts'

/** How long the second connection waits for a partition that turned out to have nothing, until the long poll takes it. */
const EXPRESS_WAIT_MS = 20
/** A topic may be unknown to a broker that starts, or for half a second after it was created; not for longer. */
const TOPIC_MISSING_MS = 30_000

interface Lanes {
  readonly poll: FetchLane
  readonly express: FetchLane
}

export class Reader {
  readonly #context: ReaderContext
  readonly #readings = new Map<string, Reading>()
  readonly #lanes = new Map<number, Lanes>()
  readonly #refreshBackoff: Backoff
  readonly #ignoreRefreshes: () => void
  #running = false
  #over = false
  #refreshing = false
  #cancelWake: (() => void) | undefined

  constructor(context: ReaderContext) {
    this.#context = context
    this.#refreshBackoff = new Backoff(context.clock, context.random)
    this.#ignoreRefreshes = context.cluster.onRefresh(() => this.#refreshed())
  }

  add(partitions: readonly OwnedPartition[]): void {
    const { clock, random } = this.#context
    for (const owned of partitions) {
      this.#readings.set(partitionKey(owned.topic, owned.partition), newReading(owned, new Backoff(clock, random)))
    }
    this.#pump()
  }

  remove(partitions: readonly TopicPartition[]): void {
    for (const { topic, partition } of partitions) this.#readings.delete(partitionKey(topic, partition))
  }

  pause({ topic, partition }: TopicPartition): void {
    const reading = this.#readings.get(partitionKey(topic, partition))
    if (reading) reading.paused = true
  }

  resume({ topic, partition }: TopicPartition): void {
    const reading = this.#readings.get(partitionKey(topic, partition))
    if (!reading?.paused) return
    reading.paused = false
    reading.idle = false
    // Whoever resumes is not called back before it has finished.
    if (reading.held) queueMicrotask(() => this.#deliverHeld(reading))
    else this.#pump()
  }

  /** Begins or goes on, unless the reader has stopped for good. */
  run(): void {
    if (this.#over) return
    this.#running = true
    for (const reading of this.#readings.values()) {
      if (reading.held && !reading.paused) queueMicrotask(() => this.#deliverHeld(reading))
    }
    this.#pump()
  }

  /** Stops fetching; what is on its way is dropped, positions stay. */
  halt(): void {
    this.#running = false
  }

  stop(): void {
    this.halt()
    this.#over = true
    this.#ignoreRefreshes()
    this.#cancelWake?.()
    this.#readings.clear()
  }

  /** Starts every fetch that can be started now. */
  #pump(): void {
    if (!this.#running) return
    const now = this.#context.clock.now()
    let wakeMs = Number.POSITIVE_INFINITY
    const byLeader = new Map<number, Reading[]>()
    for (const reading of this.#readings.values()) {
      if (reading.paused || reading.polling || reading.held) continue
      if (reading.notBeforeMs > now) {
        wakeMs = Math.min(wakeMs, reading.notBeforeMs - now)
        continue
      }
      const leader = this.#context.cluster.leader(reading.topic, reading.partition)
      if (leader < 0) {
        this.#leaderless(reading)
        continue
      }
      const list = byLeader.get(leader)
      if (list) list.push(reading)
      else byLeader.set(leader, [reading])
    }
    for (const [leader, readings] of byLeader) this.#startFetches(leader, readings)
    this.#cancelWake?.()
    this.#cancelWake = Number.isFinite(wakeMs) ? this.#context.clock.after(wakeMs, () => this.#pump()) : undefined
  }

  #startFetches(leader: number, readings: readonly Reading[]): void {
    const { poll, express } = this.#lanesOf(leader)
    const { maxFetchWaitMs } = this.#context.settings
    // A partition that the second connection merely waits for may be in both: whichever answers first is taken (R2).
    const forPoll = readings.filter(reading => !reading.expressing || reading.idle)
    if (!poll.busy) {
      if (forPoll.length > 0) poll.fetch(forPoll, maxFetchWaitMs)
      return
    }
    const forExpress = readings.filter(reading => !reading.expressing)
    if (express.busy || forExpress.length === 0) return
    express.fetch(forExpress, forExpress.every(reading => reading.idle) ? EXPRESS_WAIT_MS : 0)
  }

  #lanesOf(leader: number): Lanes {
    const found = this.#lanes.get(leader)
    if (found) return found
    const lane = (flag: 'polling' | 'expressing') =>
      new FetchLane(this.#context, leader, flag, {
        onPartition: (reading, asked, fetched) => this.#received(reading, asked, fetched),
        onDone: failure => this.#fetchDone(leader, failure),
        onRetry: () => this.#pump(),
      })
    const lanes = { poll: lane('polling'), express: lane('expressing') }
    this.#lanes.set(leader, lanes)
    return lanes
  }

  #fetchDone(leader: number, failure: RunInferenceError | undefined): void {
    // Of both connections, since the second may not be used again for long.
    if (failure === undefined || this.#running) this.#context.onTrouble(troubleWith(leader), failure)
    if (failure !== undefined && !failure.retriable) this.#fatal(failure)
    else if (failure !== undefined) this.#refreshMetadata()
    this.#pump()
  }

  #received(reading: Reading, askedOffset: number, fetched: FetchedPartition): void {
    const key = partitionKey(reading.topic, reading.partition)
    if (!this.#running || this.#readings.get(key) !== reading || reading.position !== askedOffset) return
    if (reading.paused) {
      this.#hold(reading, fetched)
      return
    }
    if (fetched.errorCode !== 0) {
      this.#refused(reading, key, errorName(fetched.errorCode), fetched)
      return
    }
    reading.backoff.reset()
    if (reading.missingSinceMs < Number.POSITIVE_INFINITY) this.#wellAgain(reading, key)
    const block = this.#read(reading, fetched)
    if (block === undefined) return
    reading.idle = block.nextOffset === askedOffset
    reading.position = block.nextOffset
    if (block.nextOffset > askedOffset) this.#context.onBlock(block, reading.epoch)
  }

  /** R5 */
  #hold(reading: Reading, fetched: FetchedPartition): void {
    let heldBytes = fetched.records.length
    if (heldBytes === 0 || reading.held) return
    for (const { held } of this.#readings.values()) heldBytes += held?.records.length ?? 0
    if (heldBytes <= this.#context.settings.maxBytesPerFetch) reading.held = fetched
  }

  #deliverHeld(reading: Reading): void {
    const { held } = reading
    if (!held || reading.paused || !this.#running) return
    reading.held = undefined
    this.#received(reading, reading.position, held)
    this.#pump()
  }

  #read(reading: Reading, fetched: FetchedPartition): RecordBlock | undefined {
    try {
      return readRecordBlock({
        topic: reading.topic,
        partition: reading.partition,
        records: fetched.records,
        startOffset: reading.position,
        endOffset: fetched.lastStableOffset,
        abortedTransactions: fetched.abortedTransactions,
      })
    } catch (error) {
      this.#fatal(RunInferenceError.from(error, 'BUG', `Reading ${reading.topic}/${reading.partition}`))
      return undefined
    }
  }

  #refused(reading: Reading, key: string, name: string, fetched: FetchedPartition): void {
    const what = `Fetching ${key} at offset ${reading.position}`
    const failure = brokerError(name, what, `Read on topic '${reading.topic}'`)
    if (name === 'OFFSET_OUT_OF_RANGE') this.#fatal(outOfRange(reading, key, fetched))
    else if (!failure.retriable && failure.code !== 'TOPIC_MISSING') this.#fatal(failure)
    else this.#troubled(reading, key, failure)
    this.#refreshMetadata()
  }

  #leaderless(reading: Reading): void {
    const key = partitionKey(reading.topic, reading.partition)
    this.#troubled(reading, key, brokerError('LEADER_NOT_AVAILABLE', `Fetching ${key}`))
    this.#refreshMetadata()
  }

  /** Fetched again after a while; for good when the topic is gone. */
  #troubled(reading: Reading, key: string, failure: RunInferenceError): void {
    const now = this.#context.clock.now()
    const topic = this.#context.cluster.topic(reading.topic)
    const missing = topic !== undefined && brokerError(errorName(topic.errorCode), '').code === 'TOPIC_MISSING'
    reading.missingSinceMs = Math.min(reading.missingSinceMs, now)
    reading.notBeforeMs = now + reading.backoff.nextMs()
    this.#context.onTrouble(key, failure)
    if (missing && now - reading.missingSinceMs > TOPIC_MISSING_MS) {
      this.#fatal(brokerError('UNKNOWN_TOPIC_OR_PARTITION', `Fetching ${key} for ${TOPIC_MISSING_MS} ms`))
    }
  }

  #wellAgain(reading: Reading, key: string): void {
    reading.missingSinceMs = Number.POSITIVE_INFINITY
    this.#context.onTrouble(key, undefined)
  }

  #refreshMetadata(): void {
    if (this.#refreshing) return
    this.#refreshing = true
    void this.#refreshUntilRead()
  }

  async #refreshUntilRead(): Promise<void> {
    const { cluster, onTrouble } = this.#context
    let failure: RunInferenceError | undefined
    do {
      // Also the first time: the brokers that answer may not know of the change themselves yet.
      await this.#refreshBackoff.wait()
      failure = await cluster.refresh().then(() => undefined, asOutage)
      if (!this.#over) onTrouble('metadata', failure)
    } while (failure !== undefined && !this.#over)
    this.#refreshBackoff.reset()
    this.#refreshing = false
    this.#pump()
  }

  /** A broker that leads nothing of ours any more is no trouble of ours. */
  #refreshed(): void {
    const { cluster, onTrouble } = this.#context
    const leaders = new Set<number>()
    for (const { topic, partition } of this.#readings.values()) leaders.add(cluster.leader(topic, partition))
    for (const leader of this.#lanes.keys()) if (!leaders.has(leader)) onTrouble(troubleWith(leader), undefined)
    this.#pump()
  }

  #fatal(error: RunInferenceError): void {
    if (!this.#running) return
    this.halt()
    this.#over = true
    this.#context.onFatal(error)
  }
}

function asOutage(error: unknown): RunInferenceError {
  return clientError(error, 'Reading metadata')
}
