/**
 * One request that is no GET: HEAD, or PUT with a file. No redirect is followed and no connection is kept. It ends when a server takes
 * nothing of it, or does not answer, for a while; of the answer only the beginning is kept.
 */
import { createReadStream } from 'node:fs'
import { type IncomingHttpHeaders, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { pipeline } from 'node:stream'
import type { Clock } from '../ops/clock.ts'

const CONNECT_MS = 10_000
const STALL_MS = 60_000
const MAX_ANSWER_BYTES = 8_192

export interface SentRequest {
  readonly method: 'HEAD' | 'PUT'
  readonly url: URL
  /** Sent as it is; default: that of the URL. */
  readonly path?: string
  readonly headers: Readonly<Record<string, string>>
}

export interface SendParts {
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Sent as the body. */
  readonly file?: { readonly path: string; readonly sizeBytes: number }
  /** Of the file, now and then. */
  readonly onSent?: (done: number, total: number) => void
}

export interface SendAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/** Rejects with the error of the connection or the file, a timeout as an error with a message of ours, or the signal's reason. */
export function httpSend(
  { method, url, path = `${url.pathname}${url.search}`, headers }: SentRequest,
  { clock, signal, file, onSent }: SendParts,
): Promise<SendAnswer> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const isTls = url.protocol === 'https:'
    const length = file === undefined ? {} : { 'content-length': String(file.sizeBytes) }
    const request = (isTls ? requestHttps : requestHttp)({
      ...{ method, path, signal, agent: false, headers: { ...headers, ...length } },
      hostname: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? undefined : Number(url.port),
    })
    let cancel = () => {}
    const within = (ms: number, what: string) => {
      cancel()
      cancel = clock.after(ms, () => request.destroy(new Error(`${what} within ${ms} ms`)))
    }
    const fail = (error: unknown) => {
      cancel()
      reject(signal.aborted ? signal.reason : error)
    }
    within(CONNECT_MS, 'no connection')
    request.once('socket', socket =>
      socket.once(isTls ? 'secureConnect' : 'connect', () => within(STALL_MS, 'connected, but no answer')),
    )
    request.once('response', answer => {
      let text = ''
      answer.setEncoding('utf8').on('data', (piece: string) => {
        text = (text + piece).slice(0, MAX_ANSWER_BYTES)
      })
      answer.once('end', () => {
        cancel()
        resolve({ status: answer.statusCode!, headers: answer.headers, text })
        // What it did not want to have is not sent.
        request.destroy()
      })
      answer.on('error', fail)
    })
    request.on('error', fail)
    if (file === undefined) return void request.end()
    let sent = 0
    const bytes = createReadStream(file.path, { highWaterMark: 256 * 1024 })
    bytes.on('data', piece => {
      sent += piece.length
      within(STALL_MS, 'it took no more of the file, and did not answer,')
      onSent?.(sent, file.sizeBytes)
    })
    // A server that has answered may have closed: then its answer counts.
    pipeline(bytes, request, error => {
      if (error && !request.destroyed) fail(error)
    })
  })
}
