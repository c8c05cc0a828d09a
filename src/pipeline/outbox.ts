/**
 * Writes commit units and returns credits. One unit per source partition is under way at a time, so that outputs of a
 * partition keep their order even when a batch is refused and halved.
 *
 * O1. Credits come back, and offsets become committable, only when every record of the unit was acknowledged (I1, I5).
 * O2. Nothing is sent for a lost partition, nor by a member whose session may be over (I8): asked before anything is built,
 *     and again by the writer before it is written.
 * O3. A refused batch is halved down to the records, which become dead letters behind the unit; their neighbours are written.
 */
import type { GroupMember, KafkaWriter } from '../kafka/port.ts'
import type { SealedBatch } from '../kafka/record-batch-builder.ts'
import type { Clock } from '../ops/clock.ts'
import type { PartitionFlow } from './partition-flow.ts'
import { countRefused, failureOfRefused, lettersOf, type RefusedOutput, searchRefused } from './refused-outputs.ts'
import { type SendPermits, sendPermits } from './send-permits.ts'
import type { FailurePoint } from './stage.ts'
import type { CommitUnit, Outputs, UnitBuilder } from './unit-builder.ts'

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
  readonly #permits: SendPermits
  #closed = false

  constructor(options: OutboxOptions) {
    this.#options = options
    this.#permits = sendPermits(options.member, options.clock, () => this.#closed)
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
    const refused: RefusedOutput[] = []
    for (let i = 0; i < unit.rounds.length; i++) {
      if (!(await this.#permits.wait(unit.flow))) return
      const round = unit.rounds[i]!
      const results = await writer.send(round, () => this.#permits.of(unit.flow))
      for (const [j, result] of results.entries())
        if (result.outcome === 'refused') await this.#halve(unit, i, round[j]!, result.reason, refused)
    }
    for (const letter of lettersOf(refused)) await this.#sendLetter(unit, letter)
    if (!unit.flow.lost && !this.#closed) onAcknowledged(unit)
  }

  /** Writes a refused batch in parts; what is refused alone comes to `refused` (O3). */
  async #halve(
    unit: CommitUnit,
    round: number,
    batch: SealedBatch,
    reason: string,
    refused: RefusedOutput[],
  ): Promise<void> {
    const { flow } = unit
    const { writer, refusedPoint } = this.#options
    await searchRefused(unit, round, batch, reason, {
      ...this.#options,
      send: batches => writer.send(batches, () => this.#permits.of(flow)),
      mayGoOn: () => this.#permits.wait(flow),
      onRefused(origin, why) {
        const output = { origin, failure: failureOfRefused(origin, why, refusedPoint) }
        countRefused(output)
        refused.push(output)
      },
    })
  }

  async #sendLetter(unit: CommitUnit, { origin, failure }: RefusedOutput): Promise<void> {
    const { builder, outputs, writer, refusedPoint } = this.#options
    const { flow } = unit
    if (!(await this.#permits.wait(flow))) return
    const late = builder.lateFailure(origin.work, origin.row, failure, outputs)
    const [result] = await writer.send([late], () => this.#permits.of(flow))
    // Throws: it has nowhere else to go.
    if (result!.outcome === 'refused')
      failureOfRefused({ ...origin, failure, topic: failure.point.topic }, result!.reason, refusedPoint)
    unit.refused.push(failure)
  }
}
