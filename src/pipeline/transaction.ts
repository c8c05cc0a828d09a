/**
 * One transaction: what is ready of one partition, and the offset behind it.
 *
 * T1. It holds whole units in source order, and the offset to commit behind the last of them (I1, I2).
 * T2. It begins with what is done, and ends when that has gone, or with the unit that fills it up: it never waits for inference.
 * T3. A batch that is refused spoils it: the outputs that are refused alone are found, all of it is aborted, they become dead
 *     letters of their rows, and every row counts as not yet emitted. The next transaction is built of the same rows, so that
 *     what it writes is in order.
 * T4. The offset goes beside the last outputs: neither waits for the other, and the commit waits for both.
 */
import type { TransactionalWriter } from '../kafka/port.ts'
import type { SealedBatch } from '../kafka/record-batch-builder.ts'
import type { Clock } from '../ops/clock.ts'
import type { OutputTarget } from './output-target.ts'
import type { PartitionFlow } from './partition-flow.ts'
import { countRefused, failureOfRefused, type RefusedOutput, searchRefused } from './refused-outputs.ts'
import type { FailurePoint } from './stage.ts'
import type { CommitUnit, Outputs, UnitBuilder } from './unit-builder.ts'

/** No further unit goes into a transaction that has so much: readers wait for its end, and so do credits. */
const FULL_BYTES = 4 * 1024 * 1024

export interface TransactionParts {
  readonly builder: UnitBuilder
  readonly outputs: Outputs
  readonly clock: Clock
  /** The group that reads a topic, for which its offsets are committed. */
  readonly groupOf: (topic: string) => string
  /** How long refused outputs may be searched for in one transaction, which its time-out would end; the next one goes on. */
  readonly searchMs: number
  /** The failed-postprocess point of the step above this sink. */
  readonly refusedPoint: (sink: number) => FailurePoint
  /** Waits while the member's session may be over; false: the partition is lost, nothing more may be sent. */
  readonly maySend: (flow: PartitionFlow) => Promise<boolean>
}

/** `dropped`: the partition was lost; what is open is ended by whoever fences it next. */
export type TransactionEnd = 'committed' | 'aborted' | 'dropped'

/** Rows that wait for the outbox, and how many of these are done with nothing unfinished before them. */
export function waitingRows(flow: PartitionFlow): { readonly ready: number; readonly all: number } {
  let ready = 0
  let all = 0
  let isFront = true
  for (const { block, emitted, donePrefix } of flow.blocks) {
    all += block.count - emitted
    if (isFront) ready += donePrefix - emitted
    isFront &&= donePrefix === block.count
  }
  return { ready, all }
}

export class Transaction {
  readonly #flow: PartitionFlow
  readonly #writer: TransactionalWriter
  readonly #parts: TransactionParts
  /** Without their batches, which are as good as written. */
  readonly #units: CommitUnit[] = []
  readonly #refused: RefusedOutput[] = []
  /** Refused, though none of their records is refused alone: their topics take less than they said. */
  readonly #oversized: SealedBatch[] = []
  readonly #limits: Map<string, number>
  /** A batch was refused, and it is not known yet for which of its records. */
  #isUndecided = false
  /** T4 */
  #hasOffset = false

  /** @param limits of the transaction before, if that was aborted */
  constructor(
    flow: PartitionFlow,
    writer: TransactionalWriter,
    parts: TransactionParts,
    limits: ReadonlyMap<string, number> = new Map(),
  ) {
    this.#flow = flow
    this.#writer = writer
    this.#parts = parts
    this.#limits = new Map(limits)
  }

  /** By topic, how large batches of the next transaction may be, in bytes: those of this one were too large to be searched in time. */
  get limits(): ReadonlyMap<string, number> {
    return this.#limits
  }

  /** Everything that it holds, as one unit. */
  get unit(): CommitUnit {
    const units = this.#units
    return {
      flow: this.#flow,
      ranges: units.flatMap(({ ranges }) => ranges),
      rounds: [],
      nextOffset: units.at(-1)!.nextOffset,
      rows: units.reduce((sum, { rows }) => sum + rows, 0),
      clampedTimestamps: units.reduce((sum, { clampedTimestamps }) => sum + clampedTimestamps, 0),
      refused: [],
    }
  }

  /** Rejects with TRANSACTION_LOST, TRANSACTION_FENCED or what is final; then everything of the partition is to be dropped. */
  async run(): Promise<TransactionEnd> {
    const { maySend } = this.#parts
    if (!(await this.#sendUnits())) return 'dropped'
    if (this.#isSpoilt) {
      await this.#writer.abort()
      if (this.#flow.lost) return 'dropped'
      this.#rollBack()
      return 'aborted'
    }
    if (!this.#hasOffset) await this.#sendOffset(this.#units.at(-1)!)
    if (!(await maySend(this.#flow))) return 'dropped'
    await this.#writer.commit()
    return 'committed'
  }

  get #isSpoilt(): boolean {
    return this.#refused.length > 0 || this.#oversized.length > 0 || this.#isUndecided
  }

  #sendOffset({ nextOffset }: CommitUnit): Promise<void> {
    this.#hasOffset = true
    const { topic, partition } = this.#flow
    return this.#writer.sendOffsets(this.#parts.groupOf(topic), [{ topic, partition, offset: nextOffset }])
  }

  /** What is ready now, unit by unit (T2); false when the partition was lost. */
  async #sendUnits(): Promise<boolean> {
    const { clock, maySend } = this.#parts
    const deadlineMs = clock.now() + this.#parts.searchMs
    let left = waitingRows(this.#flow).ready
    let bytes = 0
    let isLast: boolean
    do {
      const unit = this.#build()
      if (!unit) break
      this.#units.push({ ...unit, rounds: [] })
      left -= unit.rows
      for (const round of unit.rounds) for (const batch of round) bytes += batch.bytes.length
      isLast = left <= 0 || bytes >= FULL_BYTES
      for (const [i, round] of unit.rounds.entries()) {
        if (!(await maySend(this.#flow))) return false
        const goesAlong = isLast && i === unit.rounds.length - 1 && !this.#isSpoilt
        const [results] = await Promise.all([this.#writer.send(round), goesAlong ? this.#sendOffset(unit) : undefined])
        for (const [j, result] of results.entries())
          if (result.outcome === 'refused') await this.#search(unit, i, round[j]!, result.reason, deadlineMs)
      }
    } while (!isLast && !this.#isSpoilt)
    return maySend(this.#flow)
  }

  #build(): CommitUnit | undefined {
    const { builder, outputs } = this.#parts
    const lifts = [...this.#limits].flatMap(([topic, bytes]) =>
      this.#targets(topic).map(target => target.limitBatches(bytes)),
    )
    const unit = builder.build(this.#flow, outputs, this.#units.at(-1))
    for (const lift of lifts) lift()
    return unit
  }

  #targets(topic: string): readonly OutputTarget[] {
    const { outlets, deadLetters } = this.#parts.outputs
    return [...outlets.map(({ target }) => target), ...deadLetters.values()].filter(target => target.topic === topic)
  }

  /** T3 */
  async #search(
    unit: CommitUnit,
    round: number,
    batch: SealedBatch,
    reason: string,
    deadlineMs: number,
  ): Promise<void> {
    const { clock, maySend, refusedPoint } = this.#parts
    const before = this.#refused.length
    let isWhole = true
    await searchRefused(unit, round, batch, reason, {
      ...this.#parts,
      send: batches => this.#writer.send(batches),
      mayGoOn: async () => {
        isWhole &&= clock.now() < deadlineMs && (await maySend(this.#flow))
        return isWhole
      },
      onRefused: (origin, why) => {
        this.#refused.push({ origin, failure: failureOfRefused(origin, why, refusedPoint) })
      },
    })
    if (this.#refused.length > before) return
    if (isWhole && /TOO_LARGE$/.test(reason)) this.#oversized.push(batch)
    else {
      this.#isUndecided = true
      this.#limits.set(batch.topic, Math.min(this.#limits.get(batch.topic) ?? Infinity, batch.bytes.length >> 1))
    }
  }

  /** T3 */
  #rollBack(): void {
    // From the back: what a block had emitted before its first range is what holds.
    for (const { work, from } of this.#units.flatMap(({ ranges }) => ranges).reverse()) work.emitted = from
    for (const output of this.#refused) {
      const { origin, failure } = output
      countRefused(output)
      origin.work.replaceOutput(origin.element, origin.column!, failure)
    }
    for (const { topic, bytes } of this.#oversized)
      for (const target of this.#targets(topic)) target.limitBatches(bytes.length >> 1)
  }
}
