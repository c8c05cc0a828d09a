/** A host of lane code in a child process, at the other end of two pipes. It can be ended at any time. */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import './no-telemetry.ts'
import type { Clock } from '../ops/clock.ts'
import type { Logger } from '../ops/logger.ts'
import { childEnvironment, type EnvVars } from './env-vars.ts'
import type { LoadedModel } from './executor.ts'
import { REPLIES_FD, REQUESTS_FD } from './lane-child-pipes.ts'
import { ReplyReader, requestFrame } from './lane-frames.ts'
import type { LaneLink, LinkEvents, OpenLink } from './lane-link.ts'
import type { FromLane, ToLane } from './lane-messages.ts'
import { besideThis } from './lane-thread.ts'
import { FrameReader, frameStart } from './pipe-frames.ts'

/** Of what the child prints, the end is kept: for the message that tells of its end. */
const LAST_WORDS = 2_000
/** From the end of the process to that of its pipes, which somebody else may hold; and from SIGKILL to the end of the process. */
const END_MS = 5_000

export interface ChildOptions {
  /** Number of the lane. */
  readonly lane: number
  readonly logger: Logger
  readonly clock: Clock
  /** Arguments for Node itself. */
  readonly execArgv: readonly string[]
  /** What its environment has beside ours. */
  readonly envVars: EnvVars
}

/** Starts a child process with the entry lane-child. */
export function openChild(options: ChildOptions): OpenLink {
  return events => {
    try {
      return new ChildLink(options, events)
    } catch (error) {
      // Some reasons are thrown (no memory for it), others come as an event.
      queueMicrotask(() => events.ended(notStarted(error)))
      return { post: () => {}, kill: () => {} }
    }
  }
}

class ChildLink implements LaneLink {
  readonly #options: ChildOptions
  readonly #events: LinkEvents
  readonly #child: ChildProcess
  /** Undefined when the process could not be started. */
  readonly #requests: Writable | undefined
  readonly #sent = new Map<number, ToLane>()
  readonly #models = new Map<number, LoadedModel>()
  #lastWords = ''
  #broken: unknown
  #hasEnded = false

  constructor(options: ChildOptions, events: LinkEvents) {
    this.#options = options
    this.#events = events
    const entry = fileURLToPath(besideThis('lane-child'))
    const child = spawn(process.execPath, [...options.execArgv, entry, `lane-${options.lane}`], {
      env: childEnvironment(options.envVars),
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
    })
    this.#child = child
    child.on('error', error => this.#end(notStarted(error)))
    if (child.pid === undefined) return
    options.logger.info({ lane: options.lane, pid: child.pid }, 'a child process runs the models')
    this.#requests = child.stdio[REQUESTS_FD] as Writable
    // The end of the process follows, and tells.
    this.#requests.on('error', () => {})
    child.on('exit', () => options.clock.after(END_MS, () => this.#end(this.#how())))
    child.on('close', () => this.#end(this.#how()))
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text: Buffer) => this.#heard(text))
    this.#readReplies(child.stdio[REPLIES_FD] as Readable)
  }

  post(message: ToLane): void {
    const model = message.type === 'run' ? this.#models.get(message.model) : undefined
    const { head, body } = requestFrame(message, model)
    if (!this.#requests) return
    const bodyBytes = body.reduce((sum, { length }) => sum + length, 0)
    // May throw: of what cannot be written nothing is, and the pipe stays as it is.
    const start = frameStart(head, bodyBytes)
    this.#sent.set(message.call, message)
    // No more waits here than the places of the lane hold: nothing is copied, so nothing is gained by waiting for 'drain'.
    this.#requests.cork()
    this.#requests.write(start)
    for (const part of body) this.#requests.write(part)
    this.#requests.uncork()
  }

  readonly kill = (): void => {
    this.#child.kill('SIGKILL')
    this.#options.clock.after(END_MS, () => this.#end('it does not end, though it was sent SIGKILL'))
  }

  #readReplies(pipe: Readable): void {
    const replies = new ReplyReader(call => {
      const run = this.#sent.get(call)
      if (run?.type !== 'run') throw new Error(`a reply to call ${call}, which is no run`)
      return { run, regions: run.regions!, model: this.#models.get(run.model)! }
    })
    const frames = new FrameReader({
      body: head => replies.body(head as Parameters<ReplyReader['body']>[0]),
      complete: () => this.#replied(replies.reply),
    })
    pipe.on('error', () => {})
    pipe.on('data', (bytes: Buffer) => {
      if (this.#broken !== undefined) return
      try {
        frames.push(bytes)
      } catch (error) {
        // What follows cannot be read.
        this.#broken = error
        this.kill()
      }
    })
  }

  #replied(reply: FromLane): void {
    const message = this.#sent.get(reply.call)
    this.#sent.delete(reply.call)
    if (message?.type === 'load' && reply.type === 'loaded') this.#models.set(message.model, reply.loaded)
    if (message?.type === 'unload') this.#models.delete(message.model)
    this.#events.reply(reply)
  }

  #heard(bytes: Buffer): void {
    const text = bytes.toString()
    this.#options.logger.debug({ lane: this.#options.lane, text: text.slice(0, LAST_WORDS) }, 'a child process printed')
    this.#lastWords = (this.#lastWords + text).slice(-LAST_WORDS)
  }

  #how(): string {
    const { pid, exitCode, signalCode } = this.#child
    const end = signalCode === null ? `ended with exit code ${exitCode}` : `was ended by ${signalCode}`
    const broken = this.#broken instanceof Error ? `, since its replies cannot be read: ${this.#broken.message}` : ''
    const words = this.#lastWords.trim()
    return `child process ${pid} ${end}${broken}${words === '' ? '' : `; it last printed: ${words}`}`
  }

  #end(how: string): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#requests?.destroy()
    this.#events.ended(how)
  }
}

function notStarted(error: unknown): string {
  return `its process cannot be started: ${error instanceof Error ? error.message : String(error)}`
}
