/**
 * Puts a file into a store, where instances fetch it: over the API of S3, or by HTTP PUT.
 *
 * P1. Nothing that is there is overwritten: it is looked at before, and the request itself says so (If-None-Match), for stores that
 *     know that.
 * P2. When it is done, an instance would take what is there: it was fetched again, by the rules of instances, and has these bytes.
 * P3. No redirect is followed: neither bytes nor credentials go anywhere else.
 */
import { RunInferenceError } from '../errors.ts'
import type { Clock } from '../ops/clock.ts'
import { shownId, shownUrl } from './fetch-problems.ts'
import { httpSend, type SendAnswer, type SendParts, type SentRequest } from './http-send.ts'
import type { ModelDigest } from './model-digest.ts'
import type { HttpLocation, S3Location } from './model-location.ts'
import type { ModelSource } from './model-source.ts'
import { connectionProblem, type RemoteAccess, remoteRequest } from './remote-model.ts'

/** More than stores of S3 take in one request. */
const MAX_BYTES = 5 * 1024 ** 3
const ONLY_NEW = { 'if-none-match': '*' }

export interface UploadOptions {
  readonly access: RemoteAccess
  /** Which reads it again. */
  readonly source: Pick<ModelSource, 'fetch'>
  readonly clock: Clock
  readonly signal: AbortSignal
  /** How much has been sent. */
  readonly onSent?: (done: number, total: number) => void
}

export interface LocalModel extends ModelDigest {
  readonly path: string
}

/**
 * The location is allowed. Rejects MODEL_UNUSABLE where something else is there, the store refuses it, or does not give it back;
 * MODEL_OUTAGE where trying again may help; the signal's reason.
 */
export async function putModel(
  modelId: string,
  location: HttpLocation | S3Location,
  model: LocalModel,
  options: UploadOptions,
): Promise<'uploaded' | 'there'> {
  const { sizeBytes, sha256, path } = model
  if (sizeBytes > MAX_BYTES)
    throw refused(modelId, `it has ${sizeBytes} bytes, and one request takes ${MAX_BYTES} at most`, BY_HAND)
  const ask = (method: SentRequest['method'], headers: Readonly<Record<string, string>>) => {
    const file = method === 'PUT' ? { path, sizeBytes } : undefined
    return send(modelId, location, { method, headers, sha256, ...(file ? { file } : {}) }, options)
  }
  const there = await ask('HEAD', {})
  if (there.status === 200) {
    await requireSame(modelId, model, options)
    return 'there'
  }
  requireWorking(modelId, there)
  let answer = await ask('PUT', ONLY_NEW)
  // It does not know the condition; it was sure that nothing is there.
  if (answer.status === 501 && there.status === 404) answer = await ask('PUT', {})
  const isTaken = answer.status === 412 || answer.status === 409
  if (!isTaken) requirePut(modelId, answer, options)
  await requireSame(modelId, model, options)
  return isTaken ? 'there' : 'uploaded'
}

interface Asked {
  readonly method: SentRequest['method']
  readonly headers: Readonly<Record<string, string>>
  readonly sha256: string
  readonly file?: NonNullable<SendParts['file']>
}

async function send(
  modelId: string,
  location: HttpLocation | S3Location,
  { method, headers, sha256, file }: Asked,
  { access, clock, signal, onSent }: UploadOptions,
): Promise<SendAnswer & { readonly url: URL }> {
  const bodySha256 = file === undefined ? {} : { bodySha256: sha256 }
  const request = remoteRequest(location, { modelId, access, clock }, { method, headers, ...bodySha256 })
  const parts: SendParts = { clock, signal, ...(file ? { file } : {}), ...(onSent ? { onSent } : {}) }
  try {
    return { ...(await httpSend({ method, ...request }, parts)), url: request.url }
  } catch (error) {
    signal.throwIfAborted()
    const { code, message } = connectionProblem(modelId, request.url, error)
    throw new RunInferenceError(code, `--upload: ${message.replace(/^\[\w+\] /, '').replace(TRIED_AGAIN, AGAIN)}`)
  }
}

const TRIED_AGAIN = 'It is tried again; what serves now goes on meanwhile'
const AGAIN = 'Nothing was published: run the command again'
const BY_HAND = 'Put it there with the tools of the store, and publish its address'

/** What is there has to be what was to be put there. */
async function requireSame(modelId: string, { sha256, sizeBytes }: LocalModel, options: UploadOptions): Promise<void> {
  try {
    const fetched = await options.source.fetch({ modelId, sha256, sizeBytes }, options.signal)
    fetched.release()
  } catch (error) {
    options.signal.throwIfAborted()
    const { code, message } = RunInferenceError.from(error, 'BUG')
    const said = message.replace(/^\[\w+\] /, '').replace(TRIED_AGAIN, AGAIN)
    throw new RunInferenceError(code, `--upload: what is there now is not what was to be: ${said}`, { cause: error })
  }
}

/** Trying again may help. */
function isPassing(status: number): boolean {
  return status === 408 || status === 429 || status >= 500
}

function requireWorking(modelId: string, { status, url }: SendAnswer & { readonly url: URL }): void {
  // Whoever knows no HEAD says so, and takes the file all the same.
  if (isPassing(status) && status !== 501) throw outage(modelId, `${shownUrl(url)} answers ${status}`)
}

function requirePut(
  modelId: string,
  { status, url, text }: SendAnswer & { readonly url: URL },
  { access }: UploadOptions,
): void {
  if (status === 200 || status === 201 || status === 204) return
  const code = /<Code>([A-Za-z.]{1,64})<\/Code>/.exec(text)?.[1]
  const what = `${shownUrl(url)} answers ${code === undefined ? status : `${status}, ${code}`} to PUT`
  if (isPassing(status) && status !== 501) throw outage(modelId, what)
  if (status !== 401 && status !== 403) throw refused(modelId, what, BY_HAND)
  const isS3 = modelId.startsWith('s3:')
  const credentials = isS3 ? access.s3?.credentials : access.token
  const names = isS3 ? 's3AccessKeyId and s3SecretAccessKey' : 'modelToken, and modelTokenOrigin'
  throw refused(
    modelId,
    what,
    credentials === undefined ? `Set ${names}` : `Check ${names}, and that they may write there`,
  )
}

function refused(modelId: string, what: string, remedy: string): RunInferenceError {
  return new RunInferenceError('MODEL_UNUSABLE', `--upload: model ${shownId(modelId)}: ${what}. ${remedy}.`)
}

function outage(modelId: string, what: string): RunInferenceError {
  return new RunInferenceError('MODEL_OUTAGE', `--upload: model ${shownId(modelId)}: ${what}. ${AGAIN}.`)
}
