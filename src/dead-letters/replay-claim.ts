/**
 * Who has a run. Whoever takes its transactional id over and then says so in the audit has it, and everything that a run writes, to
 * topics, to its group and to the audit, is written under that id.
 *
 * K1. The newest start in the audit has the run. All writers of one name are fenced by it, so its records are in one order.
 * K2. A run that lost its id to an outage takes it back only while it is the newest; one that was fenced is over.
 * K3. What is decided is decided on what the audit says under the fence; where it is not known whether a record was written,
 *     reading tells: it is there, or it never will be.
 * K4. Starts of all runs are in one order, that of the audit's only partition; behind its own one a run can read all that are before it.
 */
import { isRetriable, RunInferenceError } from '../errors.ts'
import type { KafkaPort, PartitionOffset, TransactionalWriter } from '../kafka/port.ts'
import { emptyRecord, RecordBatchBuilder, type SealedBatch } from '../kafka/record-batch-builder.ts'
import { auditTopic, replayGroup } from '../kafka/topic-names.ts'
import { type Clock, sleep } from '../ops/clock.ts'
import { type AuditRecord, encodeAudit, parseAudit } from './replay-audit.ts'
import { refused } from './replay-order.ts'
import { type ReplayRun, readReplayRuns } from './replay-runs.ts'
import { scanWhole } from './whole-scan.ts'

const TRANSACTION_TIMEOUT_MS = 60_000
const FIRST_RETRY_MS = 50
const MAX_RETRY_MS = 1_000
/** How long a record of the audit is tried to be written. */
const PATIENCE_MS = 30_000
const MAX_BATCH_BYTES = 64 * 1024 * 1024

export interface ReplayClaimParts {
  readonly port: KafkaPort
  readonly applicationId: string
  readonly run: string
  readonly clock: Clock
  /** Numbers in [0, 1), for jitter. */
  readonly random: () => number
  /** Ends what is under way. */
  readonly signal: AbortSignal
}

/** A record, and what is written with it, both or neither. */
export interface AuditEntry {
  readonly record: AuditRecord
  readonly along?: readonly SealedBatch[]
  /** Committed for the group of the run. */
  readonly offsets?: readonly PartitionOffset[]
}

/** What is to be written, by what the audit says of the run; what it throws is thrown. */
export type AuditDecision = (run: ReplayRun | undefined) => AuditEntry | Promise<AuditEntry>

/** A record of ours whose commit has begun. */
interface Written {
  readonly offset: number
  readonly text: string
}

export class ReplayClaim {
  readonly writer: TransactionalWriter
  readonly #parts: ReplayClaimParts
  readonly #topic: string
  /** Offset of our start in the audit. */
  #claimedAt: number | undefined
  #isFenced = false

  constructor(parts: ReplayClaimParts) {
    this.#parts = parts
    this.#topic = auditTopic(parts.applicationId)
    const transactionalId = replayGroup(parts.applicationId, parts.run)
    this.writer = parts.port.transactionalWriter({ transactionalId, timeoutMs: TRANSACTION_TIMEOUT_MS })
  }

  /** Takes the run over, from whoever has it, and writes what `decide` makes of it. A start makes it ours. */
  async begin(decide: AuditDecision): Promise<void> {
    this.#isFenced = false
    this.#claimedAt = await this.#write(decide, true)
    this.#isFenced = true
  }

  /** Other runs whose newest start is before ours: of two that begin at one time, one finds the other here (K4). */
  async before(): Promise<readonly ReplayRun[]> {
    const claimedAt = this.#claimedAt!
    await this.#decided(claimedAt)
    return (await this.#read()).others.filter(other => other.claimedAt < claimedAt)
  }

  /** Writes a record into what is about to be committed. */
  async add(record: AuditRecord): Promise<void> {
    await this.#send({ record }, this.#textOf(record))
  }

  /** Makes sure that the writer is ours, and ends what it left open. Rejects TRANSACTION_FENCED when another one has the run (K2). */
  async hold(): Promise<void> {
    if (this.#isFenced) {
      this.#isFenced = false
      return
    }
    await this.#confirm()
    await this.writer.fence()
    await this.#confirm()
  }

  /** Writes how it ended, unless another one has it by now. */
  async end(record: AuditRecord): Promise<void> {
    this.#isFenced = true
    await this.#write(run => {
      this.#requireOurs(run)
      return { record }
    })
  }

  async close(): Promise<void> {
    await this.writer.close()
  }

  async #write(decide: AuditDecision, takesOver = false): Promise<number> {
    const { clock, random, signal } = this.#parts
    const deadlineMs = clock.now() + PATIENCE_MS
    let uncertain: Written | undefined
    let hasSent = false
    for (let tries = 1; ; tries++) {
      try {
        if (!this.#isFenced) {
          if (uncertain !== undefined && (await this.#has(uncertain))) return uncertain.offset
          if (!takesOver) await this.#confirm()
          await this.writer.fence()
          if (uncertain !== undefined && (await this.#has(uncertain))) return uncertain.offset
        }
        const entry = await decide((await this.#read()).own)
        const text = this.#textOf(entry.record)
        hasSent = true
        const offset = await this.#send(entry, text)
        uncertain = { offset, text }
        await this.writer.commit()
        return offset
      } catch (error) {
        const isTaken = !takesOver && (error as RunInferenceError).code === 'TRANSACTION_FENCED'
        const isFinal = !isRetriable(error)
        // Left open, it would keep everybody from reading what is behind it until it times out.
        if (isFinal && hasSent) await this.writer.fence().catch(() => {})
        if (isFinal || isTaken || signal.aborted || clock.now() >= deadlineMs) throw error
        this.#isFenced = false
        await sleep(clock, Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** tries) * (0.5 + random() / 2), signal)
      }
    }
  }

  /** What could not be read again would stand in the audit for ever, and its letters count as open. */
  #textOf(record: AuditRecord): string {
    const value = encodeAudit(record)
    try {
      parseAudit(value, 'what the audit would say')
    } catch (error) {
      throw refused(`run ${this.#parts.run} cannot be told of: ${(error as Error).message}`)
    }
    return value.toString()
  }

  async #send({ along = [], offsets = [] }: AuditEntry, text: string): Promise<number> {
    const batches = [this.#batch(text), ...along]
    const results = await this.writer.send(batches)
    const refused = results.findIndex(({ outcome }) => outcome !== 'acknowledged')
    const [own] = results
    if (refused < 0 && own!.outcome === 'acknowledged') {
      const { applicationId, run } = this.#parts
      await this.writer.sendOffsets(replayGroup(applicationId, run), offsets)
      return own!.baseOffset
    }
    await this.writer.abort()
    const result = results[refused]!
    const why = result.outcome === 'acknowledged' ? '' : result.reason
    const what = `the broker refuses the record of run ${this.#parts.run} in ${batches[refused]!.topic}: ${why}`
    throw new RunInferenceError('BROKER_REFUSED', `${what}. Look at max.message.bytes of the topic`)
  }

  #batch(text: string): SealedBatch {
    const { run, clock } = this.#parts
    const builder = new RecordBatchBuilder(this.#topic, 0, MAX_BATCH_BYTES)
    const [key, value] = [Buffer.from(run), Buffer.from(text)]
    const record = { ...emptyRecord(), timestamp: clock.wallTime(), key, keyEnd: key.length }
    builder.append({ ...record, value, valueEnd: value.length })
    return builder.seal()
  }

  async #confirm(): Promise<void> {
    this.#requireOurs((await this.#read()).own)
  }

  #requireOurs(run: ReplayRun | undefined): void {
    if (run?.claimedAt === this.#claimedAt && run?.state === 'running') return
    const { run: name } = this.#parts
    const what =
      run?.state === 'cancelled'
        ? `${run.lastEnd?.by ?? 'somebody'} has cancelled it`
        : `${run?.claimedBy ?? 'somebody'} has taken it up`
    throw new RunInferenceError('TRANSACTION_FENCED', `replay ${name} is not run here any more: ${what}`)
  }

  async #read(): Promise<{ readonly own: ReplayRun | undefined; readonly others: readonly ReplayRun[] }> {
    const { port, applicationId, run, signal } = this.#parts
    const { runs, unreadable } = await readReplayRuns(port, applicationId, signal)
    const bad = unreadable.get(run)
    if (bad) throw bad
    return { own: runs.get(run), others: [...runs.values()].filter(({ name }) => name !== run) }
  }

  /** Waits until what stands at an offset can be read, or never will be: others may have transactions open before it. */
  async #decided(offset: number): Promise<void> {
    const { port, clock, signal } = this.#parts
    const deadlineMs = clock.now() + 2 * TRANSACTION_TIMEOUT_MS
    for (let tries = 1; ; tries++) {
      const [log] = await port.admin.offsets(this.#topic)
      if (log !== undefined && log.end > offset) return
      if (signal.aborted || clock.now() >= deadlineMs)
        throw new RunInferenceError(
          'BROKER_UNAVAILABLE',
          `${this.#topic}/0/${offset} cannot be read: a transaction before it is still open`,
        )
      await sleep(clock, Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** tries), signal)
    }
  }

  async #has({ offset, text }: Written): Promise<boolean> {
    await this.#decided(offset)
    const range = { topic: this.#topic, partition: 0, from: offset, to: 'end' as const }
    for await (const block of scanWhole(this.#parts.port, [range], this.#parts.signal))
      for (let row = 0; row < block.count; row++)
        if (block.offset(row) === offset) return block.value(row)?.toString() === text
    return false
  }
}
