/**
 * What it means that a broker refuses a batch, under either guarantee. The batch as a whole says nothing of its records: it is
 * sent again in halves, down to the records that are refused alone. Such an output becomes a dead letter of its record; a
 * dead letter that is refused has nowhere to go, and ends the application.
 */
import { RunInferenceError } from '../errors.ts'
import type { SendResult } from '../kafka/port.ts'
import type { SealedBatch } from '../kafka/record-batch-builder.ts'
import type { Failure, FailurePoint } from './stage.ts'
import type { CommitUnit, Origin, Outputs, UnitBuilder, UnitPlace } from './unit-builder.ts'

export interface SearchParts {
  readonly builder: Pick<UnitBuilder, 'rebuild'>
  readonly outputs: Outputs
  readonly send: (batches: readonly SealedBatch[]) => Promise<readonly SendResult[]>
  /** Asked before each send; false ends the search. */
  readonly mayGoOn: () => Promise<boolean>
  /** This one record is refused, also alone. */
  readonly onRefused: (origin: Origin, reason: string) => Promise<void> | void
}

/** An output that is refused also alone, and the dead letter that takes its place. */
export interface RefusedOutput {
  readonly origin: Origin
  readonly failure: Failure
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

/** Records [from, to) of the unit's output partition, of which none stands before `at`, were refused together. */
async function halve(
  unit: CommitUnit,
  batch: SealedBatch,
  from: number,
  to: number,
  reason: string,
  parts: SearchParts,
  at?: UnitPlace,
): Promise<void> {
  const { builder, outputs, send, mayGoOn, onRefused } = parts
  if (to - from === 1) {
    const { origin } = builder.rebuild(unit, outputs, batch, from, to, at)
    await onRefused(origin, reason)
    return
  }
  const middle = (from + to) >> 1
  let place = at
  for (const [start, end] of [
    [from, middle],
    [middle, to],
  ] as const) {
    if (!(await mayGoOn())) return
    const part = builder.rebuild(unit, outputs, batch, start, end, place)
    const [result] = await send([part.batch])
    if (result!.outcome === 'refused') await halve(unit, batch, start, end, result!.reason, parts, place)
    place = part.last
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

/** For the flood guard what brokers refuse is a dead letter as any other. Nobody threw it, so `only` has no say in it. */
export function countRefused({ origin, failure }: RefusedOutput): void {
  failure.point.policy?.(origin.work, origin.element, failure, {})
}

/** The dead letters of a unit in source order: one where several outputs of a row are refused alike, as for what fails on the way. */
export function lettersOf(refused: readonly RefusedOutput[]): readonly RefusedOutput[] {
  const letters = new Map<string, RefusedOutput>()
  const offsetOf = ({ origin: { work, row } }: RefusedOutput) => work.block.offset(row)
  for (const each of refused) {
    const { point, error } = each.failure
    const known = letters.get(`${offsetOf(each)} ${point.node} ${error.code}`)
    if (known) known.failure.elements = (known.failure.elements ?? 1) + 1
    else letters.set(`${offsetOf(each)} ${point.node} ${error.code}`, each)
  }
  return [...letters.values()].sort((a, b) => offsetOf(a) - offsetOf(b))
}
