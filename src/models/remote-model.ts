/**
 * The answer of a store that has the model, over http(s) or the API of S3.
 *
 * R1. Every address that is asked is beneath a root, also where redirects lead; there are few, and none from https to http.
 * R2. The token goes to its own origin only, and a signature to the endpoint only: neither follows a redirect.
 * R3. What trying again can mend is MODEL_OUTAGE: no connection, silence, 408, 429, 5xx. All else is MODEL_UNUSABLE.
 */
import type { IncomingMessage } from 'node:http'
import { tlsFault } from '../kafka/tls-fault.ts'
import { modelOutage, reasonOf, shownUrl, unusableModel } from './fetch-problems.ts'
import { type GetAnswer, type GetParts, type GetRequest, httpGet } from './http-get.ts'
import { type HttpLocation, hasSteps, type S3Location } from './model-location.ts'
import { type ModelRoots, requireRedirectInside } from './model-roots.ts'
import { encodeS3Key, type S3Credentials, type SignedRequest, signS3 } from './s3-signature.ts'

export interface RemoteAccess {
  /** A bearer token, and the one origin that it is sent to. */
  readonly token?: { readonly origin: string; readonly value: string }
  readonly s3?: S3Access
}

export interface S3Access {
  /** E.g. `https://s3.eu-central-1.amazonaws.com`; may end in a path. */
  readonly endpoint: string
  readonly region: string
  /** The bucket stands in the path, or before the host. */
  readonly addressing: 'path' | 'virtual'
  /** Undefined: requests are not signed. */
  readonly credentials?: S3Credentials
}

export interface RemoteOptions extends GetParts {
  readonly modelId: string
  readonly roots: ModelRoots
  readonly access: RemoteAccess
  /** Of what we have: the answer may be "not modified". */
  readonly etag?: string | undefined
}

const MAX_REDIRECTS = 5
const REDIRECTS = [301, 302, 303, 307, 308]
const NOT_MODIFIED = 304
/** Of an answer that is none of a model: what S3 says is wrong. */
const MAX_ERROR_BYTES = 8_192

/** Resolves to a 200, or a 304 where an etag was given. */
export function askRemote(location: HttpLocation | S3Location, options: RemoteOptions): Promise<GetAnswer> {
  return location.scheme === 'http' ? askHttp(location.url, options) : askS3(location, options)
}

async function askHttp(start: URL, options: RemoteOptions): Promise<GetAnswer> {
  const { modelId, access, roots } = options
  let url = start
  for (let redirects = 0; ; redirects++) {
    const answer = await get({ url, headers: { ...bearerFor(url, access), ...conditional(options) } }, options)
    if (!REDIRECTS.includes(answer.status)) return requireModel(answer, url, options)
    answer.body.destroy()
    const wrong = (what: string) => unusableModel(modelId, what, 'Publish the address where the file itself is')
    const next = redirectOf(answer.headers.location, url)
    if (next === undefined) throw wrong(`${shownUrl(url)} answers ${answer.status} without a usable address`)
    if (redirects === MAX_REDIRECTS) throw wrong(`more than ${MAX_REDIRECTS} redirects, the last to ${shownUrl(next)}`)
    if (url.protocol === 'https:' && next.protocol !== 'https:')
      throw wrong(`${shownUrl(url)} redirects from https to ${shownUrl(next)}`)
    requireRedirectInside(modelId, next, roots)
    url = next
  }
}

function bearerFor(url: URL, { token }: RemoteAccess): Record<string, string> {
  return token?.origin === url.origin ? { authorization: `Bearer ${token.value}` } : {}
}

function redirectOf(location: string | undefined, from: URL): URL | undefined {
  if (location === undefined || !URL.canParse(location, from.href)) return undefined
  const url = new URL(location, from)
  const isUsable = /^https?:$/.test(url.protocol) && url.username === '' && url.password === ''
  return isUsable && !hasSteps(url.pathname) ? url : undefined
}

async function askS3(location: S3Location, options: RemoteOptions): Promise<GetAnswer> {
  const request = s3Request(location, options, { method: 'GET', headers: conditional(options) })
  return requireModel(await get(request, options), request.url, options)
}

type RequestParts = Pick<RemoteOptions, 'modelId' | 'access' | 'clock'>
type Wanted = Pick<SignedRequest, 'method' | 'headers' | 'bodySha256'>

/** A request about a location, with the credentials that belong to it (R2). */
export function remoteRequest(location: HttpLocation | S3Location, parts: RequestParts, wanted: Wanted): GetRequest {
  if (location.scheme === 's3') return s3Request(location, parts, wanted)
  return { url: location.url, headers: { ...bearerFor(location.url, parts.access), ...wanted.headers } }
}

function s3Request({ bucket, key }: S3Location, { modelId, access, clock }: RequestParts, wanted: Wanted): GetRequest {
  const { s3 } = access
  if (s3 === undefined)
    throw unusableModel(modelId, 'no S3-compatible store is set', 'Set s3Endpoint, or s3Region for that of AWS')
  const { endpoint, region, addressing, credentials } = s3
  const base = new URL(endpoint)
  const folder = base.pathname.replace(/\/$/, '')
  if (addressing === 'virtual') base.hostname = `${bucket}.${base.hostname}`
  // Before an address instead of a name the bucket cannot stand: the URL stays as it was.
  if (addressing === 'virtual' && !base.hostname.startsWith(`${bucket}.`))
    throw unusableModel(
      modelId,
      `no bucket can stand before the host of s3Endpoint ${endpoint}`,
      'Set s3Addressing to path',
    )
  const path = `${folder}/${addressing === 'virtual' ? '' : `${bucket}/`}${encodeS3Key(key)}`
  const headers =
    credentials === undefined
      ? wanted.headers
      : signS3({ ...wanted, host: base.host, path }, credentials, region, clock.wallTime())
  return { url: base, path, headers }
}

function conditional({ etag }: RemoteOptions): Record<string, string> {
  return etag === undefined ? {} : { 'if-none-match': etag }
}

async function get(request: GetRequest, options: RemoteOptions): Promise<GetAnswer> {
  try {
    return await httpGet(request, options)
  } catch (error) {
    options.signal.throwIfAborted()
    throw connectionProblem(options.modelId, request.url, error)
  }
}

/** A connection that was not made, or broke. */
export function connectionProblem(modelId: string, url: URL, error: unknown) {
  const reason = reasonOf(error)
  const names = { ca: 'NODE_EXTRA_CA_CERTS', cert: 'the store, which may want one', address: 'the address' }
  const fault = url.protocol === 'https:' ? tlsFault(reason, names) : undefined
  if (fault !== undefined)
    return unusableModel(
      modelId,
      `no trust in ${shownUrl(url)}: ${fault.replace(/\.$/, '')}`,
      'Then publish again',
      error,
    )
  return modelOutage(modelId, `${shownUrl(url)} cannot be read: ${reason}`, error)
}

async function requireModel(answer: GetAnswer, url: URL, options: RemoteOptions): Promise<GetAnswer> {
  const { modelId, etag, access } = options
  const { status, headers, body } = answer
  if (status === NOT_MODIFIED && etag !== undefined) {
    body.destroy()
    return answer
  }
  if (status === 200) {
    const encoding = headers['content-encoding'] ?? 'identity'
    if (encoding === 'identity') return answer
    body.destroy()
    const what = `${shownUrl(url)} sends it encoded (${encoding.slice(0, 40)}), which was not asked for`
    throw unusableModel(modelId, what, 'Let the store send the file as it is')
  }
  const code = modelId.startsWith('s3:') ? await s3CodeOf(body) : undefined
  body.destroy()
  const region = headers['x-amz-bucket-region']
  const said = [String(status), code, region === undefined ? undefined : `bucket region ${region}`]
  const what = `${shownUrl(url)} answers ${said.filter(part => part !== undefined).join(', ')}`
  if (status === 408 || status === 429 || status >= 500) throw modelOutage(modelId, what)
  throw unusableModel(modelId, what, remedyOf(status, code, access, url))
}

function remedyOf(status: number, code: string | undefined, { token, s3 }: RemoteAccess, url: URL): string {
  const isS3 = code !== undefined
  if (code === 'RequestTimeTooSkewed') return 'Correct the clock of this machine'
  if (isS3 && status >= 300 && status < 400) return 'The bucket is elsewhere: correct s3Region or s3Endpoint'
  if (status === 401 || status === 403 || (isS3 && status === 400)) {
    if (isS3)
      return s3?.credentials === undefined
        ? 'Set s3AccessKeyId and s3SecretAccessKey'
        : 'Check s3AccessKeyId, s3SecretAccessKey and s3Region, and that the key may read the object'
    return token?.origin === url.origin ? 'Check modelToken' : 'Set modelToken, and modelTokenOrigin to this origin'
  }
  return 'Put the model there, or publish another'
}

/** S3 says in a small XML document what is wrong; '' where it does not. */
async function s3CodeOf(body: IncomingMessage): Promise<string> {
  let text = ''
  try {
    for await (const piece of body) {
      text += String(piece)
      if (text.length > MAX_ERROR_BYTES) break
    }
  } catch {
    // Its status says enough.
  }
  return /<Code>([A-Za-z.]{1,64})<\/Code>/.exec(text)?.[1] ?? 'no code'
}
