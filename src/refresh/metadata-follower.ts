/**
 * Follows the metadata topic behind what was read of it.
 *
 * 1. Changes are told in the order of the log, each once. What cannot be read is told apart, and changes nothing.
 * 2. Whatever goes wrong is told and tried again with growing pauses: the models that serve go on serving meanwhile.
 * 3. A log that was cut off, or made anew, is read from its beginning: what it has otherwise is a change; a slot that it does not
 *    have any more keeps its model, which is told as a problem.
 * 4. Nothing is told after `stop`.
 */
import { isDeepStrictEqual } from 'node:util'
import { RunInferenceError } from '../errors.ts'
import type { KafkaPort } from '../kafka/port.ts'
import { type Clock, sleep } from '../ops/clock.ts'
import { readOn } from './metadata-log.ts'
import {
  type MetadataChange,
  type MetadataProblem,
  type MetadataSaid,
  type MetadataSnapshot,
  MetadataTable,
} from './metadata-table.ts'

/** Behind every log: a scan up to here waits for what will be written. */
const FOREVER = Number.MAX_SAFE_INTEGER
const FIRST_RETRY_MS = 200
const MAX_RETRY_MS = 10_000

export interface FollowOptions {
  readonly port: Pick<KafkaPort, 'scan'>
  readonly topic: string
  /** What was read before. */
  readonly from: MetadataSnapshot
  readonly clock: Clock
  /** Numbers in [0, 1), for jitter. */
  readonly random: () => number
  /** All four are called synchronously, and must not throw. */
  readonly onChange: (change: MetadataChange) => void
  readonly onProblem: (problem: MetadataProblem) => void
  /** The topic cannot be read; told for each attempt. Not retriable: somebody has to do something, and then it goes on. */
  readonly onOutage: (error: RunInferenceError) => void
  readonly onRecovered: () => void
}

export interface MetadataFollower {
  /** What is published, as far as it was told. */
  snapshot(): MetadataSnapshot
  /** Returns at once; a request that is under way ends by itself. */
  stop(): void
}

/** Tells what is published from now on, as soon as it is there. */
export function followMetadata(options: FollowOptions): MetadataFollower {
  const follower = new Follower(options)
  // It ends by `stop` alone; everything else is told on the way.
  void follower.run()
  return { snapshot: () => follower.snapshot(), stop: () => follower.stop() }
}

class Follower {
  readonly #options: FollowOptions
  readonly #stopped = new AbortController()
  #table: MetadataTable
  #isCutOff = false
  #failures = 0

  constructor(options: FollowOptions) {
    this.#options = options
    this.#table = new MetadataTable(options.from)
  }

  snapshot(): MetadataSnapshot {
    return this.#table.snapshot()
  }

  stop(): void {
    this.#stopped.abort()
  }

  async run(): Promise<void> {
    const { signal } = this.#stopped
    while (!signal.aborted) {
      try {
        await this.#read()
      } catch (error) {
        if (!signal.aborted) await this.#failed(error)
      }
    }
  }

  async #read(): Promise<void> {
    if (this.#isCutOff) await this.#readAnew()
    // Nothing may be written for days: that it works again is seen by coming to the end.
    else if (this.#failures > 0) await this.#readOn(this.#table, 'end', said => this.#tell(said))
    if (this.#failures > 0 && !this.#stopped.signal.aborted) this.#options.onRecovered()
    this.#isCutOff = false
    this.#failures = 0
    await this.#readOn(this.#table, FOREVER, said => this.#tell(said))
  }

  async #failed(error: unknown): Promise<void> {
    const { topic, clock, random, onOutage } = this.#options
    const failure = RunInferenceError.from(error, 'BUG', `following ${topic}`)
    // What was gone may be made anew, and be longer than what was read of it before.
    this.#isCutOff ||= failure.code === 'OFFSET_OUT_OF_RANGE' || failure.code === 'TOPIC_MISSING'
    const delayMs = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures++) * (0.5 + random() / 2)
    onOutage(failure)
    await sleep(clock, delayMs, this.#stopped.signal)
  }

  async #readAnew(): Promise<void> {
    const fresh = new MetadataTable()
    const tombstones = new Map<string, MetadataChange>()
    await this.#readOn(fresh, 'end', said => {
      if (!('error' in said) && said.state === undefined) tombstones.set(said.key, said)
    })
    const [before, now] = [this.#table.snapshot(), fresh.snapshot()]
    const gone = [...before.slots].filter(([key]) => !now.slots.has(key))
    const lost = gone.filter(([key]) => !tombstones.has(key))
    this.#table = new MetadataTable({ ...now, slots: new Map([...lost, ...now.slots]) })
    for (const [key, published] of now.slots)
      if (!isDeepStrictEqual(before.slots.get(key), published)) this.#tell({ key, ...published })
    for (const [key] of gone) if (tombstones.has(key)) this.#tell(tombstones.get(key)!)
    for (const [key, { offset }] of lost) this.#tell({ key, offset, error: this.#lostState(key, offset) })
    for (const problem of now.problems) this.#tell(problem)
  }

  #readOn(table: MetadataTable, to: number | 'end', tell: (said: MetadataSaid) => void) {
    const { port, topic } = this.#options
    return readOn(port, topic, table, to, tell, this.#stopped.signal)
  }

  #tell(said: MetadataSaid): void {
    if (this.#stopped.signal.aborted) return
    if ('error' in said) this.#options.onProblem(said)
    else this.#options.onChange(said)
  }

  #lostState(key: string, offset: number): RunInferenceError {
    return new RunInferenceError(
      'METADATA_INVALID',
      `slot ${key}: ${this.#options.topic} was cut off or made anew, and its record at offset ${offset} is gone. ` +
        "The model stays here, but an instance that starts has the handler's own: publish it again",
    )
  }
}
