/**
 * What it means that a broker refuses a batch, under either guarantee. The batch as a whole says nothing of its records: it is
 * sent again in halves, down to the records that are refused alone. Such an output becomes a dead letter of its record; a
 * dead letter that is refused has nowhere to go, and ends the application.
 */
import { RunInferenceError } from '../errors.ts'
import type { SendResult } from '../kafka/port.ts'
import type { SealedBatch } from '../kafka/record-batch-builder.ts'
import type { Failure, FailurePoint } from './stage.ts'
import type { CommitUnit, Origin, Outputs, UnitBuilder } from './unit-builder.ts'

export interface SearchParts {
  readonly builder: Pick<UnitBuilder, 'rebuild'>
  readonly outputs: Outputs
  readonly send: (batches: readonly SealedBatch[]) => Promise<readonly SendResult[]>
  /** Asked before each send; false ends the search. */
  readonly mayGoOn: () => Promise<boolean>
  /** This one record is refused, also alone. */
  readonly onRefused: (origin: Origin, reason: string) => Promise<void> | void
}

/** Finds the records of a refused batch, which went with this round of the unit, that are refused alone. Writes the others. */
export async function searchRefused(
  unit: CommitUnit,
  round: number,
  batch: SealedBatch,
  reason: string,
  parts: SearchParts,
): Promise<void> {
  // Records of this output partition that went with earlier rounds come first when the unit is walked again.
  const earlier = unit.rounds
    .slice(0, round)
    .flat()
    .filter(other => other.topic === batch.topic && other.partition === batch.partition)
    .reduce((sum, other) => sum + other.count, 0)
  await halve(unit, batch, earlier, earlier + batch.count, reason, parts)
}

/** Records [from, to) of the unit's output partition were refused together. */
async function halve(
  unit: CommitUnit,
  batch: SealedBatch,
  from: number,
  to: number,
  reason: string,
  parts: SearchParts,
): Promise<void> {
  const { builder, outputs, send, mayGoOn, onRefused } = parts
  if (to - from === 1) {
    const { origin } = builder.rebuild(unit, outputs, batch, from, to)
    await onRefused(origin, reason)
    return
  }
  const middle = (from + to) >> 1
  for (const [start, end] of [
    [from, middle],
    [middle, to],
  ] as const) {
    if (!(await mayGoOn())) return
    const part = builder.rebuild(unit, outputs, batch, start, end)
    const [result] = await send([part.batch])
    if (result!.outcome === 'refused') await halve(unit, batch, start, end, result!.reason, parts)
  }
}

/** The dead letter that takes the place of a refused output. Throws BROKER_REFUSED when it was a dead letter itself. */
export function failureOfRefused(
  { work, row, sink, failure, topic }: Origin,
  reason: string,
  refusedPoint: (sink: number) => FailurePoint,
): Failure {
  const { block } = work
  const at = `${block.topic}/${block.partition} offset ${block.offset(row)}`
  if (failure) {
    throw new RunInferenceError(
      'BROKER_REFUSED',
      `dead-letter topic ${topic} refuses the dead letter of ${at} (${reason}); raise its max.message.bytes above the source topic's`,
    )
  }
  const code = reason === 'MESSAGE_TOO_LARGE' ? 'OUTPUT_TOO_LARGE' : 'OUTPUT_REFUSED'
  const error = new RunInferenceError(code, `topic ${topic} refuses the output of ${at}: ${reason}`)
  return { point: refusedPoint(sink!), index: -1, error, modelId: undefined }
}
