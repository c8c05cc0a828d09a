/** What a model that cannot be had is told with. No text of these holds a credential. */
import { shownModelId, withoutCredentials } from '../credentials.ts'
import { RunInferenceError } from '../errors.ts'

const MAX_CHARS = 300

/** An id as it may be shown: in quotes, control characters escaped, credentials masked, cut where it is long. */
export function shownId(modelId: string): string {
  const text = shownModelId(modelId)
  return JSON.stringify(text.length <= MAX_CHARS ? text : `${text.slice(0, MAX_CHARS - 1)}…`)
}

/** An address as it may be shown: its query may be a signature. */
export function shownUrl({ origin, pathname }: URL): string {
  return JSON.stringify(`${origin}${pathname}`.slice(0, MAX_CHARS))
}

/** Final: trying again gives the same. `remedy` is the next sentence. */
export function unusableModel(modelId: string, what: string, remedy: string, cause?: unknown): RunInferenceError {
  return problem('MODEL_UNUSABLE', modelId, what, remedy, cause)
}

/** It may work in a while. */
export function modelOutage(modelId: string, what: string, cause?: unknown): RunInferenceError {
  return problem('MODEL_OUTAGE', modelId, what, 'It is tried again; what serves now goes on meanwhile', cause)
}

function problem(
  code: 'MODEL_UNUSABLE' | 'MODEL_OUTAGE',
  modelId: string,
  what: string,
  remedy: string,
  cause: unknown,
): RunInferenceError {
  const message = `model ${shownId(modelId)}: ${what}. ${remedy}.`
  return new RunInferenceError(code, message, cause === undefined ? {} : { cause })
}

/** What an error of the system or of OpenSSL says, without what a peer may have put in. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  const text = withoutCredentials(String(message ?? error)).slice(0, MAX_CHARS)
  return code === undefined || text.includes(code) ? text : `${code}: ${text}`
}

/** The file system is in trouble, not the file. */
const PASSING = ['EIO', 'ESTALE', 'EMFILE', 'ENFILE', 'EAGAIN', 'EBUSY', 'ETIMEDOUT', 'EHOSTDOWN', 'ENOMEM', 'EINTR']

/** A file that cannot be read. */
export function fileProblem(modelId: string, path: string, error: unknown): RunInferenceError {
  const what = `its file cannot be read (looked for ${path}): ${reasonOf(error)}`
  if (PASSING.includes((error as NodeJS.ErrnoException).code ?? '')) return modelOutage(modelId, what, error)
  return unusableModel(
    modelId,
    what,
    'Put it there for every instance, with the right to read it, or publish another',
    error,
  )
}
