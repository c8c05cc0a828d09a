/** What the commands write into the metadata topic: decisions on the state that is found there, taken again when it has changed. */
import { shownModelId } from '../credentials.ts'
import { RunInferenceError } from '../errors.ts'
import { show } from '../problem.ts'
import type { HistoryRecord } from './model-history.ts'
import { published, rolledBack, withCandidate } from './state-changes.ts'
import { type Candidate, isSameModel, type ModelMetadata, OWN_MODEL, type StepModels } from './step-models.ts'

/** How the handler's own model is called where a model id is asked for. */
export const OWN_NAME = 'own'

/** Who does something, when, and why. */
export interface Act {
  readonly by: string
  /** ISO 8601. */
  readonly at: string
  readonly reason?: string
}

/** A trial as it is asked for. */
export type TrialPlan = Pick<Candidate, 'mode' | 'percent' | 'salt' | 'abortIf'>

/**
 * The model becomes the stable one, or goes on trial; one that is on trial keeps its salt, so that a larger share has the keys of the
 * smaller one. Throws METADATA_INVALID for a trial of what is stable already.
 */
export function publication(
  state: StepModels | undefined,
  model: ModelMetadata,
  trial: TrialPlan | undefined,
  { by, at, reason }: Act,
): StepModels {
  if (trial === undefined) return published(state, model, by, at, reason)
  if (state !== undefined && isSameModel(state.stable, model)) {
    const what = `${modelText(model)} is what serves already (revision ${state.revision})`
    throw new RunInferenceError('METADATA_INVALID', `${what}: there is nothing to try. Name another model`)
  }
  const before = state?.candidate
  const salt = before && isSameModel(before.model, model) ? before.salt : trial.salt
  return withCandidate(state, { model, ...trial, salt }, by, at, reason)
}

const REVISION = /^[1-9]\d{0,14}$/

/**
 * Back to what was stable before: without `to` the newest of it, else a revision, a model id, or `own`. `records`: the log, for a
 * revision that is further back than the state reaches. Throws METADATA_INVALID where there is no such thing.
 */
export function rollback(
  state: StepModels | undefined,
  to: string | undefined,
  records: readonly HistoryRecord[],
  act: Act,
): StepModels {
  const { by, at, reason } = act
  if (to === undefined) return rolledBack(state, by, at, reason)
  if (to === OWN_NAME && state !== undefined) return backTo(state, OWN_MODEL, act)
  if (!REVISION.test(to)) return rolledBack(state, by, at, reason, to === OWN_NAME ? OWN_MODEL.modelId : to)
  const known = records.flatMap(record => (record.state === undefined ? [] : [record.state]))
  // Behind a tombstone revisions begin anew: the latest of this number is meant.
  const found = known.findLast(({ revision }) => revision === Number(to))
  if (found === undefined) {
    const there = known.length === 0 ? 'none' : [...new Set(known.map(({ revision }) => revision))].join(', ')
    const remedy = 'Name one of them, or a model id that kri models ls shows'
    throw new RunInferenceError(
      'METADATA_INVALID',
      `revision ${to} is not in the log any more, which has ${there}. ${remedy}`,
    )
  }
  return backTo(state, found.stable, act)
}

function backTo(state: StepModels | undefined, model: ModelMetadata, act: Act): StepModels {
  const { by, at, reason } = act
  const first = state?.previous.find(each => each.modelId === model.modelId)
  // Only then is it gone back to these very bytes; what was left behind meanwhile leaves the state.
  if (first !== undefined && isSameModel(first, model)) return rolledBack(state, by, at, reason, model.modelId)
  return published(state, model, by, at, reason)
}

/** How publications of `kri models watch` begin their reason, so that it knows them from what people decided. */
export const WATCH_REASON = 'watch '

export interface ArrivedFile {
  readonly sha256: string
  /** When it came to its place, milliseconds since 1970. */
  readonly arrivedMs: number
}

/** `current`: these bytes serve, or are on trial. `decided`: somebody decided something else after the file had come. */
export type WatchVerdict = 'publish' | 'current' | 'decided'

/**
 * Whether a file that a watch has found is to be published. Asked of the state itself, so neither a restart nor two watches of
 * the same files publish anything twice, and none takes back what a person did after the file came, such as a rollback.
 */
export function watchVerdict(state: StepModels | undefined, { sha256, arrivedMs }: ArrivedFile): WatchVerdict {
  if (state === undefined) return 'publish'
  if (state.stable.sha256 === sha256 || state.candidate?.model.sha256 === sha256) return 'current'
  const isByWatch = state.reason?.startsWith(WATCH_REASON) === true
  return !isByWatch && Date.parse(state.publishedAt) >= arrivedMs ? 'decided' : 'publish'
}

/** A model as people are shown it. */
export function modelText({ modelId, sha256 }: ModelMetadata): string {
  if (modelId === '') return "the handler's own model"
  const shown = show(shownModelId(modelId))
  return sha256 === undefined ? shown : `${shown} (${sha256.slice(0, 12)})`
}

/** How metrics are named after a model when nobody says: the last part of its id, without what follows the last dot. */
export function modelNameOf(modelId: string): string {
  // A query may be a signature, and names are labels of metrics.
  const isAddress = /^[a-z][a-z0-9+.-]*:\/\//i.test(modelId)
  const place = isAddress ? modelId.replace(/[?#].*$/s, '') : modelId
  const last = place.replace(/\/+$/, '').split('/').at(-1) ?? ''
  return last.replace(/(?!^)\.[^.]*$/, '')
}
