/**
 * What is mended in kafkajs 2.2.4, as far as this folder uses it. Each repair is put into the require cache before the
 * modules that load it, so nothing on disk changes. Record batches, produce and fetch answers, the consumer and the
 * producer need none: we do not use theirs.
 *
 * R1 A request queue with nothing to wait for arms no timer (kafkajs re-arms one every millisecond, for ever, 5 % of a
 *    core per connection).
 * R2 A request whose body is a WirePayload is written in its own chunks (kafkajs copies every request twice, into
 *    zero-filled buffers up to twice its size).
 * R3 An answer is read into one buffer of its own size (kafkajs keeps every chunk of it and then copies them all, so a
 *    large answer costs its memory twice). Chunks may therefore come from a buffer that is used again.
 * R4 Time-outs and throttling go by the clock that never jumps. kafkajs compares times of day: when the clock of the machine
 *    is set back by an hour, a request on a silent connection would wait for an hour, and set forward, all would time out.
 */
import type { Socket } from 'node:net'
import { RunInferenceError } from '../errors.ts'
import { AnswerFrames } from './answer-frames.ts'
import { WirePayload } from './wire-payload.ts'

const PINNED_VERSION = '2.2.4'
const SOURCE = 'kafkajs/src'
/** While requests are held back for another reason than throttling, an answer sends them; this is the second chance. */
const RECHECK_MS = 10
/** How often requests are looked at that may have had their time. */
const TIMEOUT_CHECK_MS = 100
/** int32 size, int16 api key, int16 api version, int32 correlation id, int16 length of the client id. */
const FRAME_FIXED_BYTES = 14

interface SocketRequest {
  readonly requestTimeout: number
  timeoutRequest(): void
}

interface RequestQueue {
  readonly pending: readonly SocketRequest[]
  readonly inflight: ReadonlyMap<number, SocketRequest>
  readonly maxInFlightRequests: number | null
  readonly requestTimeout: number
  readonly enforceRequestTimeout: boolean
  readonly isConnected: () => boolean
  requestTimeoutIntervalId: NodeJS.Timeout | undefined
  throttledUntil: number
  throttleCheckTimeoutId: NodeJS.Timeout | null
  checkPendingRequests(): void
  scheduleCheckPendingRequests(): void
  scheduleRequestTimeoutCheck(): void
  canSendSocketRequestImmediately(): boolean
  maybeThrottle(throttleMs: number | null | undefined): void
  sendSocketRequest(request: SocketRequest): void
  destroy(): void
}

type RequestQueueClass = new (...options: never[]) => RequestQueue

interface Frame {
  readonly correlationId: number
  readonly clientId: string | null
  readonly request: { readonly apiKey: number; readonly apiVersion: number; encode(): Promise<unknown> }
}

interface Connection {
  readonly authHandlers: object | null
  readonly socket: Socket | undefined
  readonly requestQueue: { fulfillRequest(answer: { size: number; correlationId: number; payload: Buffer }): void }
  connect(): Promise<unknown>
  processData(bytes: Buffer): unknown
}

type ConnectionClass = new (...options: never[]) => Connection

type FrameRequest = (frame: Frame) => Promise<{ readonly buffer: Buffer }>
type CreateSocket = (options: object) => Socket

/** Chunks to be written behind a frame header; set by R2's framing, read by its socket. */
const followers = new WeakMap<Buffer, readonly Buffer[]>()

let installed = false

/**
 * Asserts the version of kafkajs and mends it, once per process; later calls do nothing. Call it before anything of
 * kafkajs is loaded, with the `require` that will load it.
 * @throws RunInferenceError SETTINGS_INVALID for another version, BUG when kafkajs's connections were loaded already
 */
export function installRepairs(require: NodeJS.Require): void {
  if (installed) return
  assertVersion((require('kafkajs/package.json') as { version: string }).version)
  if (require.cache[require.resolve(`${SOURCE}/network/connection`)] !== undefined) {
    throw new RunInferenceError(
      'BUG',
      'kafkajs was loaded before its repairs; import src/kafkajs/internals.ts before anything that requires kafkajs.',
    )
  }
  replaceExports<RequestQueueClass>(require, 'network/requestQueue', original => timely(withoutIdleTimer(original)))
  replaceExports<FrameRequest>(require, 'protocol/request', framingChunks)
  replaceExports<CreateSocket>(require, 'network/socket', writingChunks)
  // Last: this module loads the three above.
  replaceExports<ConnectionClass>(require, 'network/connection', readingExactly)
  installed = true
}

/** @throws RunInferenceError SETTINGS_INVALID unless it is the version that the repairs were written for */
export function assertVersion(found: string): void {
  if (found === PINNED_VERSION) return
  throw new RunInferenceError(
    'SETTINGS_INVALID',
    `kafkajs ${found} is installed, and src/kafkajs was written for ${PINNED_VERSION}: install that one (npm ci).`,
  )
}

function replaceExports<T>(require: NodeJS.Require, module: string, repair: (original: T) => T): void {
  const path = require.resolve(`${SOURCE}/${module}`)
  const original = require(path) as T
  require.cache[path]!.exports = repair(original)
}

/** R1 */
function withoutIdleTimer(original: RequestQueueClass): RequestQueueClass {
  return class extends original {
    override scheduleCheckPendingRequests(): void {
      if (this.pending.length === 0 || this.throttleCheckTimeoutId) return
      const throttledMs = this.throttledUntil - performance.now()
      this.throttleCheckTimeoutId = setTimeout(
        () => {
          this.throttleCheckTimeoutId = null
          this.checkPendingRequests()
        },
        throttledMs > 0 ? throttledMs : RECHECK_MS,
      )
    }
  }
}

/** R4 */
function timely(original: RequestQueueClass): RequestQueueClass {
  return class extends original {
    readonly #sentAtMs = new WeakMap<SocketRequest, number>()

    override sendSocketRequest(request: SocketRequest): void {
      this.#sentAtMs.set(request, performance.now())
      super.sendSocketRequest(request)
    }

    override scheduleRequestTimeoutCheck(): void {
      if (!this.enforceRequestTimeout) return
      this.destroy()
      this.requestTimeoutIntervalId = setInterval(
        () => {
          const now = performance.now()
          for (const request of this.inflight.values())
            if (now - (this.#sentAtMs.get(request) ?? now) > request.requestTimeout) request.timeoutRequest()
          if (!this.isConnected()) this.destroy()
        },
        Math.min(this.requestTimeout, TIMEOUT_CHECK_MS),
      )
    }

    override maybeThrottle(throttleMs: number | null | undefined): void {
      // Answers of a login, and others, have no such field.
      if (!throttleMs || throttleMs < 0) return
      this.throttledUntil = Math.max(this.throttledUntil, performance.now() + throttleMs)
    }

    override canSendSocketRequestImmediately(): boolean {
      const isFull = this.maxInFlightRequests !== null && this.inflight.size >= this.maxInFlightRequests
      return !isFull && this.throttledUntil <= performance.now()
    }
  }
}

/** R2: the frame header alone, with the chunks noted beside it. */
function framingChunks(original: FrameRequest): FrameRequest {
  return async frame => {
    const payload = await frame.request.encode()
    if (!(payload instanceof WirePayload)) {
      return original({ ...frame, request: { ...frame.request, encode: async () => payload } })
    }
    const header = frameHeader(frame, payload.size)
    followers.set(header, payload.chunks)
    return { buffer: header }
  }
}

function frameHeader({ request, correlationId, clientId }: Frame, payloadSize: number): Buffer {
  const idLength = clientId === null ? 0 : Buffer.byteLength(clientId)
  const header = Buffer.allocUnsafe(FRAME_FIXED_BYTES + idLength)
  header.writeInt32BE(header.length - 4 + payloadSize, 0)
  header.writeInt16BE(request.apiKey, 4)
  header.writeInt16BE(request.apiVersion, 6)
  header.writeInt32BE(correlationId, 8)
  header.writeInt16BE(clientId === null ? -1 : idLength, 12)
  if (clientId !== null) header.write(clientId, FRAME_FIXED_BYTES)
  return header
}

/** R2: a socket that writes the chunks of a header behind it, in one system call where it can. */
function writingChunks(original: CreateSocket): CreateSocket {
  return options => {
    const socket = original(options)
    const write = socket.write.bind(socket)
    socket.write = (data: Buffer, ...rest: unknown[]) => {
      const chunks = followers.get(data)
      if (chunks === undefined) return (write as (...all: unknown[]) => boolean)(data, ...rest)
      socket.cork()
      write(data)
      let flowing = true
      for (const chunk of chunks) flowing = write(chunk)
      socket.uncork()
      return flowing
    }
    return socket
  }
}

/** R3 */
function readingExactly(original: ConnectionClass): ConnectionClass {
  return class extends original {
    #frames = this.#newFrames()

    override connect(): Promise<unknown> {
      this.#frames = this.#newFrames()
      return super.connect()
    }

    override processData(bytes: Buffer): unknown {
      // The handshake keeps its chunks, and some of its messages have no frame of ours.
      if (this.authHandlers) return super.processData(Buffer.from(bytes))
      try {
        this.#frames.push(bytes)
      } catch (error) {
        this.socket?.destroy(error as Error)
      }
      return undefined
    }

    #newFrames(): AnswerFrames {
      return new AnswerFrames(answer => {
        const correlationId = answer.readInt32BE(0)
        this.requestQueue.fulfillRequest({ size: answer.length, correlationId, payload: answer.subarray(4) })
      })
    }
  }
}
