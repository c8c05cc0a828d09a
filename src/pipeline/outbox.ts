/**
 * Writes commit units and returns credits. One unit per source partition is under way at a time, so that outputs of a
 * partition keep their order even when a batch is refused and halved.
 *
 * O1. Credits come back, and offsets become committable, only when every record of the unit was acknowledged (I1, I5).
 * O2. Nothing is sent for a lost partition, nor by a member whose session may be over (I8): asked before anything is built,
 *     and again by the writer before it is written.
 * O3. A refused batch is halved down to the record, which becomes a dead letter; its neighbours are written.
 */
import { RunInferenceError } from '../errors.ts'
import type { GroupMember, KafkaWriter, SendResult, WritePermit } from '../kafka/port.ts'
import type { SealedBatch } from '../kafka/record-batch-builder.ts'
import { type Clock, sleep } from '../ops/clock.ts'
import type { PartitionFlow } from './partition-flow.ts'
import type { Failure, FailurePoint } from './stage.ts'
import type { CommitUnit, Origin, Outputs, UnitBuilder } from './unit-builder.ts'

/** How often a member that may be expelled is asked whether it is alive again. */
const ALIVE_CHECK_MS = 100

export interface OutboxOptions {
  readonly builder: UnitBuilder
  readonly outputs: Outputs
  readonly writer: Pick<KafkaWriter, 'send'>
  readonly member: Pick<GroupMember, 'alive'>
  readonly clock: Clock
  /** The failed-postprocess point of the step above this sink. */
  readonly refusedPoint: (sink: number) => FailurePoint
  /** All records of the unit are acknowledged. */
  readonly onAcknowledged: (unit: CommitUnit) => void
  /** A unit has ended, and no other one of its partition is under way. */
  readonly onQuiet?: () => void
  /** Nothing will help: authorisation, a missing topic, a bug. */
  readonly onFatal: (error: unknown) => void
}

export class Outbox {
  readonly #options: OutboxOptions
  #closed = false

  constructor(options: OutboxOptions) {
    this.#options = options
  }

  /** Rows of this partition may have become done: sends the next unit unless one is under way. */
  advance(flow: PartitionFlow): void {
    if (flow.sending || flow.lost || this.#closed) return
    const { builder, outputs, onFatal } = this.#options
    const unit = builder.build(flow, outputs)
    if (!unit) return
    flow.sending = true
    this.#send(unit)
      .then(() => {
        flow.sending = false
        this.advance(flow)
        if (!flow.sending) this.#options.onQuiet?.()
      })
      // `sending` may stay set: nothing more leaves this partition while the application ends.
      .catch(onFatal)
  }

  /** Nothing is sent any more; what waits for the member gives up. */
  close(): void {
    this.#closed = true
  }

  async #send(unit: CommitUnit): Promise<void> {
    const { writer, onAcknowledged } = this.#options
    for (let i = 0; i < unit.rounds.length; i++) {
      if (!(await this.#maySend(unit.flow))) return
      const round = unit.rounds[i]!
      const results = await writer.send(round, () => this.#permit(unit.flow))
      for (let j = 0; j < round.length; j++) await this.#settle(unit, i, round[j]!, results[j]!)
    }
    if (!unit.flow.lost && !this.#closed) onAcknowledged(unit)
  }

  /** Waits while the member's session may be over; false when the partition was lost, or the outbox closed (O2). */
  async #maySend(flow: PartitionFlow): Promise<boolean> {
    while (this.#permit(flow) === 'hold') await sleep(this.#options.clock, ALIVE_CHECK_MS)
    return this.#permit(flow) !== 'drop'
  }

  #permit(flow: PartitionFlow): ReturnType<WritePermit> {
    if (flow.lost || this.#closed) return 'drop'
    return this.#options.member.alive() ? 'write' : 'hold'
  }

  async #settle(unit: CommitUnit, round: number, batch: SealedBatch, result: SendResult): Promise<void> {
    if (result.outcome !== 'refused') return
    // Records of this output partition that went with earlier rounds come first when the unit is walked again.
    const earlier = unit.rounds
      .slice(0, round)
      .flat()
      .filter(other => other.topic === batch.topic && other.partition === batch.partition)
      .reduce((sum, other) => sum + other.count, 0)
    await this.#halve(unit, batch, earlier, earlier + batch.count, result.reason)
  }

  /** Writes records [from, to) of the unit's output partition in halves; one that is refused alone becomes a dead letter. */
  async #halve(unit: CommitUnit, batch: SealedBatch, from: number, to: number, reason: string): Promise<void> {
    const { builder, outputs, writer } = this.#options
    if (to - from === 1) {
      const { origin } = builder.rebuild(unit, outputs, batch, from, to)
      return this.#refused(unit, outputs, origin, reason)
    }
    const middle = (from + to) >> 1
    for (const [start, end] of [
      [from, middle],
      [middle, to],
    ] as const) {
      if (!(await this.#maySend(unit.flow))) return
      const part = builder.rebuild(unit, outputs, batch, start, end)
      const [result] = await writer.send([part.batch], () => this.#permit(unit.flow))
      if (result!.outcome === 'refused') await this.#halve(unit, batch, start, end, result!.reason)
    }
  }

  async #refused(unit: CommitUnit, outputs: Outputs, origin: Origin, reason: string): Promise<void> {
    const { builder, writer, refusedPoint } = this.#options
    const at = `${unit.flow.topic}/${unit.flow.partition} offset ${origin.work.block.offset(origin.row)}`
    if (origin.failure) {
      throw new RunInferenceError(
        'BROKER_REFUSED',
        `dead-letter topic ${origin.topic} refuses the dead letter of ${at} (${reason}); raise its max.message.bytes above the source topic's`,
      )
    }
    const code = reason === 'MESSAGE_TOO_LARGE' ? 'OUTPUT_TOO_LARGE' : 'OUTPUT_REFUSED'
    const error = new RunInferenceError(code, `topic ${origin.topic} refuses the output of ${at}: ${reason}`)
    const failure: Failure = { point: refusedPoint(origin.sink!), index: -1, error, modelId: undefined }
    if (!(await this.#maySend(unit.flow))) return
    const late = builder.lateFailure(origin.work, origin.row, failure, outputs)
    const [result] = await writer.send([late], () => this.#permit(unit.flow))
    if (result!.outcome === 'refused')
      await this.#refused(unit, outputs, { ...origin, failure, topic: failure.point.topic }, result!.reason)
    unit.refused.push(failure)
  }
}
