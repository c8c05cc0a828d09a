/**
 * Changes what is published for a slot, by compare and set: whoever writes takes the transactional id of the topic over, reads to
 * the end, decides, writes and commits.
 *
 * 1. Nobody writes in between: what somebody else has taken over, read or written since makes this transaction fail, and it begins
 *    again with what is published by then. So no update is lost, and revisions have neither gaps nor repeats.
 * 2. Where it is not known whether a commit was done, reading again tells: our record is in the log, or it never will be.
 * 3. It begins again for `patienceMs`, with growing pauses, so that writers who meet do not push each other out for ever.
 */
import { isRetriable, RunInferenceError } from '../errors.ts'
import type { KafkaPort, TransactionalWriter } from '../kafka/port.ts'
import { emptyRecord, RecordBatchBuilder, type SealedBatch } from '../kafka/record-batch-builder.ts'
import { modelMetadataTopic } from '../kafka/topic-names.ts'
import { type Clock, sleep } from '../ops/clock.ts'
import { readOn } from './metadata-log.ts'
import { type MetadataSaid, MetadataTable } from './metadata-table.ts'
import { parseSlot } from './slot.ts'
import { encodeStepModels } from './state-codec.ts'
import type { StepModels } from './step-models.ts'

const TRANSACTION_TIMEOUT_MS = 15_000
const FIRST_RETRY_MS = 50
const MAX_RETRY_MS = 1_000
const MAX_BATCH_BYTES = 64 * 1024 * 1024

export interface MetadataWriterParts {
  readonly port: Pick<KafkaPort, 'scan' | 'transactionalWriter'>
  readonly applicationId: string
  readonly clock: Clock
  /** Numbers in [0, 1), for jitter. */
  readonly random: () => number
  /** How long it goes on when others write too, or brokers do not answer; default 30,000. */
  readonly patienceMs?: number
}

/** What becomes of a slot: its next state, the handler's own model, or undefined: all is well as it is. */
export type Decision = StepModels | 'tombstone' | undefined

/** What was written; undefined where nothing was. */
export interface WrittenState {
  readonly offset: number
  /** Undefined: a tombstone. */
  readonly state: StepModels | undefined
}

/**
 * Writes what `decide` makes of the state of a slot (by its text); `decide` may be called again, with what somebody else has published
 * meanwhile, and what it throws is thrown. Rejects METADATA_INVALID for a slot or state that could not be read back, with what is final for
 * the broker, with the last failure after `patienceMs`, and CLOSED when the signal comes.
 */
export async function changeMetadata(
  parts: MetadataWriterParts,
  slot: string,
  decide: (state: StepModels | undefined) => Decision,
  signal?: AbortSignal,
): Promise<WrittenState | undefined> {
  parseSlot(slot)
  const { port, applicationId, clock, random, patienceMs = 30_000 } = parts
  const deadlineMs = clock.now() + patienceMs
  const transactionalId = modelMetadataTopic(applicationId)
  const writer = port.transactionalWriter({ transactionalId, timeoutMs: TRANSACTION_TIMEOUT_MS })
  const attempts = new Attempts({ ...parts, writer, slot, decide, signal })
  // Ends what is under way; `finally` waits for it.
  const end = () => void writer.close().catch(() => {})
  signal?.addEventListener('abort', end, { once: true })
  try {
    for (let tries = 1; ; tries++) {
      try {
        return await attempts.next()
      } catch (error) {
        if (!isRetriable(error)) throw error
        const delayMs = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** tries) * random()
        if (clock.now() + delayMs >= deadlineMs) throw attempts.gaveUp(tries, error)
        await sleep(clock, delayMs, signal)
      }
    }
  } finally {
    signal?.removeEventListener('abort', end)
    await writer.close()
  }
}

interface AttemptParts extends MetadataWriterParts {
  readonly writer: TransactionalWriter
  readonly slot: string
  readonly decide: (state: StepModels | undefined) => Decision
  readonly signal: AbortSignal | undefined
}

class Attempts {
  readonly #parts: AttemptParts
  readonly #topic: string
  /** A record of ours whose commit has begun: in the log, or never. */
  #uncertain: WrittenState | undefined

  constructor(parts: AttemptParts) {
    this.#parts = parts
    this.#topic = modelMetadataTopic(parts.applicationId)
  }

  async next(): Promise<WrittenState | undefined> {
    const { writer, slot, decide, signal } = this.#parts
    if (signal?.aborted) throw new RunInferenceError('CLOSED', `publishing for ${slot} was ended by its caller`)
    await writer.fence()
    const { state, ours } = await this.#read()
    if (ours !== undefined) return ours
    const decision = decide(state)
    if (decision === undefined) return undefined
    const next = decision === 'tombstone' ? undefined : decision
    this.#check(state, next)
    const offset = await this.#send(next)
    this.#uncertain = { offset, state: next }
    await writer.commit()
    return this.#uncertain
  }

  /** What is published for the slot; and our record of before, if it is there. */
  async #read(): Promise<{ readonly state: StepModels | undefined; readonly ours: WrittenState | undefined }> {
    const { port, slot, signal } = this.#parts
    const table = new MetadataTable()
    let isThere = false
    const find = ({ key, offset }: MetadataSaid) => {
      isThere ||= key === slot && offset === this.#uncertain?.offset
    }
    await readOn(port, this.#topic, table, 'end', find, signal)
    const ours = isThere ? this.#uncertain : undefined
    this.#uncertain = undefined
    return { state: table.snapshot().slots.get(slot)?.state, ours }
  }

  #check(state: StepModels | undefined, next: StepModels | undefined): void {
    const expected = (state?.revision ?? 0) + 1
    if (next === undefined || next.revision === expected) return
    const got = `got ${next.revision}, expected ${expected}`
    throw new RunInferenceError('BUG', `the next state of slot ${this.#parts.slot} has a wrong revision: ${got}`)
  }

  async #send(next: StepModels | undefined): Promise<number> {
    const { writer } = this.#parts
    const [result] = await writer.send([this.#batch(next)])
    if (result!.outcome === 'acknowledged') return result!.baseOffset
    await writer.abort()
    const what = `the broker refuses the record of slot ${this.#parts.slot} in ${this.#topic}: ${result!.reason}`
    throw new RunInferenceError('BROKER_REFUSED', `${what}. Look at max.message.bytes of the topic`)
  }

  #batch(next: StepModels | undefined): SealedBatch {
    const { slot, clock } = this.#parts
    const builder = new RecordBatchBuilder(this.#topic, 0, MAX_BATCH_BYTES)
    const key = Buffer.from(slot)
    const value = next === undefined ? null : encodeStepModels(next)
    const record = { ...emptyRecord(), timestamp: clock.wallTime(), key, keyEnd: key.length }
    builder.append({ ...record, value, valueEnd: value?.length ?? 0 })
    return builder.seal()
  }

  gaveUp(tries: number, cause: unknown): RunInferenceError {
    const { code, message } = RunInferenceError.from(cause, 'BUG')
    const isFenced = code === 'TRANSACTION_FENCED'
    const what = this.#uncertain === undefined ? 'nothing was published' : 'it is not known whether it was published'
    const why = isFenced ? `others write to ${this.#topic} all the time` : `${this.#topic} cannot be written`
    const last = message.replace(/^\[\w+\] /, '').replace(/\.$/, '')
    return new RunInferenceError(
      code,
      `slot ${this.#parts.slot}: ${what}: ${why} (${tries} tries; the last: ${last}). Look at what is published now, and try again`,
      { cause },
    )
  }
}
