/**
 * What people do with the models of a slot, as functions from one state to the next, each one revision more. `undefined` is no
 * state: nothing was published yet, or a tombstone took it away, so the handler's own model serves. `by`: who does it; `at`: when,
 * as ISO 8601.
 *
 * 1. What was stable is what can be gone back to: the last five, the handler's own model among them.
 * 2. `previous` never names one model twice in a row, nor begins with the stable one.
 * 3. A trial belongs to the stable model that it runs beside: a change of that one ends it.
 */
import { RunInferenceError } from '../errors.ts'
import { show } from '../problem.ts'
import {
  type Candidate,
  isSameModel,
  MAX_PREVIOUS,
  type ModelMetadata,
  OWN_MODEL,
  type StepModels,
} from './step-models.ts'

/** The model becomes the stable one. To publish what is stable already makes instances that could not load it try again. */
export function published(
  state: StepModels | undefined,
  model: ModelMetadata,
  by: string,
  at: string,
  reason?: string,
): StepModels {
  return after(state, [model, ...lineOf(state)], undefined, by, at, reason)
}

/**
 * Back to the newest of `previous`, or to the newest there with the model id `to`. What it leaves behind is gone from the state, so
 * that no instance falls back to it. Throws METADATA_INVALID where there is nothing to go back to.
 */
export function rolledBack(
  state: StepModels | undefined,
  by: string,
  at: string,
  reason?: string,
  to?: string,
): StepModels {
  const before = lineOf(state).slice(1)
  const found = to === undefined ? 0 : before.findIndex(({ modelId }) => modelId === to)
  if (before[found] === undefined) throw nothingBefore(before, to)
  return after(state, before.slice(found), undefined, by, at, reason)
}

/** A model goes on trial, in place of one that was. */
export function withCandidate(
  state: StepModels | undefined,
  candidate: Candidate,
  by: string,
  at: string,
  reason?: string,
): StepModels {
  return after(state, lineOf(state), candidate, by, at, reason)
}

/** The model on trial becomes the stable one. Throws METADATA_INVALID where there is none. */
export function promoted(state: StepModels | undefined, by: string, at: string, reason?: string): StepModels {
  return published(state, candidateOf(state, 'promoted').model, by, at, reason)
}

/** The trial ends, and the stable model stays. Throws METADATA_INVALID where there is none. */
export function aborted(state: StepModels | undefined, by: string, at: string, reason?: string): StepModels {
  candidateOf(state, 'aborted')
  return after(state, lineOf(state), undefined, by, at, reason)
}

/** The stable model, then what it could go back to. */
function lineOf(state: StepModels | undefined): readonly ModelMetadata[] {
  return state === undefined ? [OWN_MODEL] : withoutRepeats([state.stable, ...state.previous])
}

function withoutRepeats(line: readonly ModelMetadata[]): readonly ModelMetadata[] {
  return line.filter((model, i) => i === 0 || !isSameModel(model, line[i - 1]!))
}

function after(
  state: StepModels | undefined,
  line: readonly ModelMetadata[],
  candidate: Candidate | undefined,
  by: string,
  at: string,
  reason: string | undefined,
): StepModels {
  const [stable, ...previous] = withoutRepeats(line)
  return {
    revision: (state?.revision ?? 0) + 1,
    stable: stable!,
    ...(candidate === undefined ? {} : { candidate }),
    previous: previous.slice(0, MAX_PREVIOUS),
    publishedBy: by,
    publishedAt: at,
    ...(reason === undefined ? {} : { reason }),
  }
}

function candidateOf(state: StepModels | undefined, what: 'promoted' | 'aborted'): Candidate {
  if (state?.candidate !== undefined) return state.candidate
  const now = state === undefined ? 'nothing is published' : `revision ${state.revision} has no candidate`
  throw new RunInferenceError(
    'METADATA_INVALID',
    `no model is on trial that could be ${what}: ${now}. Somebody else may have ended the trial: look at what is published now`,
  )
}

function nothingBefore(before: readonly ModelMetadata[], to: string | undefined): RunInferenceError {
  const names = before.map(({ modelId }) => (modelId === '' ? "the handler's own" : show(modelId)))
  const what = to === undefined ? 'there is no model to go back to' : `${show(to)} is none of the models to go back to`
  const known =
    names.length === 0 ? 'The state has none: publish the model that is wanted' : `Known: ${names.join(', ')}`
  return new RunInferenceError('METADATA_INVALID', `${what}. ${known}`)
}
