/** What does not hold of the models: both good ones have predicted, as well as they can, and the bad one has changed nothing. */
import type { Verdict } from './check.ts'
import type { Course } from './course.ts'
import { type DigitImage, recordedAccuracy } from './digit-images.ts'
import { BETTER_MODEL, FIRST_MODEL } from './digit-models.ts'

/** A model does not get every image equally often: the last round of all images may be cut off anywhere. */
const TOLERANCE = 0.03

export interface ModelsOfRun extends Pick<Course, 'bad' | 'better'> {
  readonly images: readonly DigitImage[]
  readonly verdict: Pick<Verdict, 'models'>
}

/** One sentence each; empty when all holds. */
export function modelProblems({ images, verdict, bad, better }: ModelsOfRun): readonly string[] {
  const problems: string[] = []
  if (bad.outcome !== 'failed' || !bad.reason)
    problems.push(`${bad.modelId} is ${bad.outcome} after it was published, expected: failed, with a reason`)
  else if (bad.serves !== FIRST_MODEL)
    problems.push(`${bad.serves} serves after ${bad.modelId} was refused, expected ${FIRST_MODEL}`)
  if (better.outcome !== 'current')
    problems.push(
      `${better.modelId} is ${better.outcome} after it was published: ${better.reason ?? 'no reason given'}`,
    )
  for (const modelId of [FIRST_MODEL, BETTER_MODEL]) {
    const { predictions, accuracy } = verdict.models.get(modelId) ?? { predictions: 0, accuracy: 0 }
    if (predictions === 0) problems.push(`${modelId} has predicted nothing`)
    const expected = recordedAccuracy(images, modelId)
    // Of fewer it says nothing.
    if (predictions >= images.length && !(Math.abs(accuracy - expected) <= TOLERANCE))
      problems.push(`${modelId} is right in ${shown(accuracy)} of its predictions, expected about ${shown(expected)}`)
  }
  return problems
}

function shown(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}
