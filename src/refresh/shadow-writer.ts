/**
 * Writes what shadows say to the topic of a step, outside of every transaction and of all commits.
 *
 * 1. Nothing is written, nor taken for writing, before the topic was found. A topic that is missing, or may not be written, is told, and
 *    looked for again every LOOK_AGAIN_MS: `kri topics apply` is enough, no restart is needed.
 * 2. In an outage `send` waits, until `close`. What waits is bounded by whoever calls it.
 * 3. `send` never rejects: it says how many records were not written.
 */
import { RunInferenceError } from '../errors.ts'
import type { KafkaPort, KafkaWriter, SendResult } from '../kafka/port.ts'
import { emptyRecord, RecordBatchBuilder, type SealedBatch } from '../kafka/record-batch-builder.ts'
import { type Clock, sleep } from '../ops/clock.ts'
import { encodeShadowRecord, SHADOW_MAX_BYTES, type ShadowRecord } from './shadow-record.ts'

export const LOOK_AGAIN_MS = 10_000
/** The same as for outputs: smaller requests keep latency even. */
const MAX_BATCH_BYTES = 900_000
/** What the broker counts beside key and value of a batch of one record. */
const RESERVE_BYTES = 1_024
/** What `encodeShadowRecord` needs at least. */
const MIN_VALUE_BYTES = 65_536

export interface ShadowWriterParts {
  readonly topic: string
  readonly port: Pick<KafkaPort, 'writer'> & { readonly admin: Pick<KafkaPort['admin'], 'describeTopics'> }
  readonly clock: Clock
  /** Nothing can be written now, and why; undefined: that is over. */
  readonly onProblem: (problem: RunInferenceError | undefined) => void
}

type OpenTopic = Awaited<ReturnType<KafkaWriter['topic']>>

export class ShadowWriter {
  readonly #parts: ShadowWriterParts
  readonly #end = new AbortController()
  #writer: KafkaWriter | undefined
  #topic: OpenTopic | undefined
  #isLooking = false
  #hasProblem = false

  constructor(parts: ShadowWriterParts) {
    this.#parts = parts
  }

  /** Looks for the topic; may be called again. */
  start(): void {
    if (this.#isLooking || this.#topic || this.#end.signal.aborted) return
    this.#isLooking = true
    void this.#look()
  }

  /** The topic was found, and was not refused since. */
  get isOpen(): boolean {
    return this.#topic !== undefined
  }

  /** Room for the records of a batch; undefined while the topic was not found. */
  records(): ShadowRecords | undefined {
    return this.#topic && new ShadowRecords(this.#parts.topic, this.#topic, this.#parts.clock.wallTime())
  }

  /** Resolves with how many were not written. */
  async send(records: ShadowRecords): Promise<number> {
    const batches = records.seal()
    if (batches.length === 0) return 0
    let results: readonly SendResult[]
    try {
      results = await this.#writer!.send(batches, () => (this.#end.signal.aborted ? 'drop' : 'write'))
    } catch (error) {
      this.#problem(error)
      // At once it would be refused again, by and by for every batch.
      if (this.#topic) void this.#lookLater()
      this.#topic = undefined
      return countOf(batches)
    }
    const refusal = results.flatMap(result => (result.outcome === 'refused' ? result.reason : []))[0]
    if (refusal === undefined) this.#over()
    else this.#problem(new RunInferenceError('BROKER_REFUSED', `${this.#parts.topic}: ${refusal}`))
    return countOf(batches.filter((_, i) => results[i]!.outcome !== 'acknowledged'))
  }

  /** What is not written yet will not be. Never rejects. */
  async close(): Promise<void> {
    this.#end.abort()
    this.#topic = undefined
    // A writer that does not close in order ends with its port.
    await this.#writer?.close().catch(() => {})
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    const { topic, port } = this.#parts
    try {
      const [found] = await port.admin.describeTopics([topic])
      if (!found) throw missing(topic)
      if (this.#end.signal.aborted) return
      this.#writer ??= port.writer()
      const described = await this.#writer.topic(topic)
      if (this.#end.signal.aborted) return
      this.#isLooking = false
      this.#topic = described
      this.#over()
    } catch (error) {
      this.#problem(error)
      void this.#lookLater()
    }
  }

  /** Never rejects. */
  async #lookLater(): Promise<void> {
    const { signal } = this.#end
    this.#isLooking = true
    await sleep(this.#parts.clock, LOOK_AGAIN_MS, signal)
    if (!signal.aborted) await this.#look()
  }

  #problem(error: unknown): void {
    if (this.#end.signal.aborted) return
    this.#hasProblem = true
    this.#parts.onProblem(RunInferenceError.from(error, 'BUG', `records for ${this.#parts.topic}`))
  }

  #over(): void {
    if (!this.#hasProblem) return
    this.#hasProblem = false
    this.#parts.onProblem(undefined)
  }
}

/** The records of one batch, by partition: that of the source where the topic has it. */
export class ShadowRecords {
  readonly #name: string
  readonly #topic: OpenTopic
  readonly #maxBatchBytes: number
  readonly #builders: RecordBatchBuilder[] = []
  readonly #sealed: SealedBatch[] = []
  readonly #record = emptyRecord()

  constructor(name: string, topic: OpenTopic, timestampMs: number) {
    this.#name = name
    this.#topic = topic
    this.#maxBatchBytes = Math.min(MAX_BATCH_BYTES, topic.maxMessageBytes - RESERVE_BYTES)
    this.#record.timestamp = timestampMs
  }

  /** `key`: as it is. Nothing of either is kept. */
  add(key: Buffer | null, record: ShadowRecord): void {
    const left = this.#topic.maxMessageBytes - RESERVE_BYTES - (key?.length ?? 0)
    const value = encodeShadowRecord(record, Math.max(MIN_VALUE_BYTES, Math.min(SHADOW_MAX_BYTES, left)))
    const builder = this.#builderOf(record.source.partition % this.#topic.partitions)
    const appended = this.#record
    appended.key = key
    appended.keyEnd = key?.length ?? 0
    appended.value = value
    appended.valueEnd = value.length
    if (builder.append(appended)) return
    this.#sealed.push(builder.seal())
    builder.append(appended)
  }

  seal(): readonly SealedBatch[] {
    for (const builder of this.#builders) if (builder && builder.count > 0) this.#sealed.push(builder.seal())
    return this.#sealed.splice(0)
  }

  #builderOf(partition: number): RecordBatchBuilder {
    const known = this.#builders[partition]
    if (known) return known
    const made = new RecordBatchBuilder(this.#name, partition, this.#maxBatchBytes)
    this.#builders[partition] = made
    return made
  }
}

function missing(topic: string): RunInferenceError {
  const what = `${topic} does not exist, so what the shadow says cannot be written and it scores nothing`
  return new RunInferenceError('TOPIC_MISSING', `${what}. Put it right: kri topics apply`)
}

function countOf(batches: readonly SealedBatch[]): number {
  return batches.reduce((sum, { count }) => sum + count, 0)
}
