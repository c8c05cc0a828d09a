/**
 * One GET: no redirect is followed, nothing is decoded, no connection is kept. A server has little time to be connected to and to
 * begin its answer; what comes then is the caller's to read and to end.
 */
import { type IncomingHttpHeaders, type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { Clock } from '../ops/clock.ts'

export interface GetRequest {
  readonly url: URL
  /** Sent as it is; default: that of the URL. */
  readonly path?: string
  readonly headers: Readonly<Record<string, string>>
}

export interface GetParts {
  readonly clock: Clock
  readonly signal: AbortSignal
  /** To be connected, TLS included; default 10,000. */
  readonly connectTimeoutMs?: number
  /** From then to the first line of the answer; default 30,000. */
  readonly firstByteTimeoutMs?: number
}

export interface GetAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** Destroy it where it is not read to its end. */
  readonly body: IncomingMessage
}

/** Rejects with the error of the connection, a timeout as an error with a message of ours, or the signal's reason. */
export function httpGet(
  { url, path = `${url.pathname}${url.search}`, headers }: GetRequest,
  { clock, signal, connectTimeoutMs = 10_000, firstByteTimeoutMs = 30_000 }: GetParts,
): Promise<GetAnswer> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const isTls = url.protocol === 'https:'
    const send = isTls ? requestHttps : requestHttp
    const request = send({
      hostname: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? undefined : Number(url.port),
      path,
      headers: { ...headers, 'accept-encoding': 'identity' },
      agent: false,
      signal,
    })
    const late = (what: string, ms: number) => () => request.destroy(new Error(`${what} within ${ms} ms`))
    let cancel = clock.after(connectTimeoutMs, late('no connection', connectTimeoutMs))
    request.once('socket', socket =>
      socket.once(isTls ? 'secureConnect' : 'connect', () => {
        cancel()
        cancel = clock.after(firstByteTimeoutMs, late('connected, but no answer', firstByteTimeoutMs))
      }),
    )
    request.once('response', body => {
      cancel()
      resolve({ status: body.statusCode!, headers: body.headers, body })
    })
    request.on('error', error => {
      cancel()
      reject(signal.aborted ? signal.reason : error)
    })
    request.end()
  })
}
