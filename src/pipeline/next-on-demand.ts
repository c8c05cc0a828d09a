import type { Lane } from '../models/executor.ts'
import type { LaneAnswer, ModelSet } from '../models/model-set.ts'
import type { Batcher, Choice, LanePlace } from './batcher.ts'
import type { Retries } from './retries.ts'
import { type Batch, cohortOf } from './row-run.ts'

interface Queues {
  readonly batcher: Batcher
  readonly models: ModelSet
  readonly retries: Retries
}

/**
 * What a lane does next where lanes differ in what they run, or load: a batch whose next try is due, the choice of the batcher,
 * or a model that either of them waits for.
 */
export function nextOnDemand(
  { batcher, models, retries }: Queues,
  lane: Lane,
  place: LanePlace,
  nowMs: number,
): Batch | Choice | undefined {
  const answers = new Map<number, LaneAnswer>()
  const answerFor = (batch: Batch): LaneAnswer => {
    const cohort = cohortOf(batch)
    const answer = models.answerAgain(lane, cohort, batch.begunOn, nowMs)
    answers.set(cohort, answer)
    return answer
  }
  const again = retries.take(nowMs, batch => answerFor(batch) === 'run')
  if (again) return again
  const waitsFor = (wanted: LaneAnswer) => [...answers].find(([, answer]) => answer === wanted)?.[0]
  const first = waitsFor('load')
  if (first !== undefined) return { cohort: first, mustLoad: true, of: retries }
  const choice = batcher.choose(place, nowMs, (cohort, isFull) => models.answer(lane, cohort, isFull, nowMs))
  const last = choice ? undefined : waitsFor('load-if-idle')
  return last === undefined ? choice : { cohort: last, mustLoad: true, of: retries }
}

/** True when there is a batch for an idle place of this lane, whose model it has; nothing is taken. */
export function hasWorkFor({ batcher, models, retries }: Queues, lane: Lane, nowMs: number): boolean {
  const again = (batch: Batch) => models.answerAgain(lane, cohortOf(batch), batch.begunOn, nowMs) === 'run'
  if (retries.hasDue(nowMs, again)) return true
  const runs = (cohort: number) => (models.answer(lane, cohort, true, nowMs) === 'run' ? 'run' : 'no')
  return batcher.choose('idle', nowMs, runs) !== undefined
}
