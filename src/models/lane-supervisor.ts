/**
 * Keeps a lane at work, whatever its worker is made of: calls go out in order, replies come in, and when the worker is lost
 * another one takes its place. Whoever calls sees one lane that does not end.
 *
 * S1. Messages are served in order, one reply each, so only the call at the head can have ended the worker: it rejects
 *     WORKER_LOST, or TIMEOUT when we ended the worker for it. All others are sent again, unharmed.
 * S2. A new worker first loads again what was loaded, the same bytes under the same numbers, then goes on with the calls.
 * S3. Losses in a row are answered with growing pauses. After too many, each further one rejects what waits with LANE_LOST (an
 *     outage: nothing is said of the rows), and it is tried again, after the pause. A run or control batch that was answered ends the row;
 *     a worker that cannot load the models again counts as lost. A loss by a run does not count: bisection asks for such
 *     losses, and its control batch tells whether the lane or the rows are to blame.
 * S4. Where the worker can be ended, the call at the head has its time, from when it came there: `timeoutMs` of its model,
 *     else `stuckMs`, or less while a batch is searched (call-limits.ts). A load that is lost with its worker, or takes too long, rejects LANE_LOST: no row is to blame.
 * S5. Every call ends, but for one that hangs in a thread's native code. `close` lets those before it end, and the worker; one that
 *     takes too long is ended where that can be done (lane-close.ts).
 */
import { RunInferenceError } from '../errors.ts'
import type { Clock } from '../ops/clock.ts'
import type { Logger } from '../ops/logger.ts'
import { startDeadline } from './call-deadline.ts'
import { CallLimits } from './call-limits.ts'
import type { LaneRestarts, LoadedModel, ModelSpec } from './executor.ts'
import { causeOf, guilty, type Loss, reloadProblem } from './lane-blame.ts'
import { type CloseParts, closedSoon, endWhenLate } from './lane-close.ts'
import type { LaneAnswer, LaneCall, LaneLink, OpenLink } from './lane-link.ts'
import { LaneLosses } from './lane-losses.ts'
import { type FromLane, type LoadMessage, reviveError, type ToLane } from './lane-messages.ts'

export interface SupervisorParts {
  /** Number of the lane. */
  readonly id: number
  readonly openLink: OpenLink
  readonly logger: Logger
  readonly clock: Clock
  readonly random: () => number
  /** How long a call may take that has no `timeoutMs`; asked of workers that can be killed, and of those that close. */
  readonly stuckMs: number
  /** A new worker has loaded this model, again. */
  readonly onReloaded?: (model: number, loaded: LoadedModel) => void
}

interface Call {
  readonly message: ToLane
  resolve(answer: LaneAnswer): void
  reject(error: RunInferenceError): void
}

export class LaneSupervisor {
  readonly #parts: SupervisorParts
  readonly #name: string
  readonly #losses: LaneLosses
  readonly #limits: CallLimits
  readonly #close: CloseParts
  readonly restarts: Record<keyof LaneRestarts, number> = { crash: 0, timeout: 0 }
  /** In order; those of a working link have been sent. */
  readonly #calls: Call[] = []
  readonly #models = new Map<number, { readonly load: LoadMessage; readonly sha256: string }>()
  #link: LaneLink | undefined
  #generation = 0
  /** What the present worker has to load before it is sent the calls. */
  #reloads: readonly LoadMessage[] = []
  #headSince = 0
  /** The time that the call at the head was given, when it is over: the worker is being ended. */
  #expiredMs: number | undefined
  #trouble: RunInferenceError | undefined
  #lastCall = 0
  #cancelDeadline = () => {}
  #cancelStart: (() => void) | undefined
  #closing: Promise<void> | undefined
  readonly #closed = Promise.withResolvers<void>()

  constructor(parts: SupervisorParts) {
    this.#parts = parts
    this.#name = `lane ${parts.id}`
    this.#losses = new LaneLosses(parts.clock, parts.random)
    this.#limits = new CallLimits(parts.stuckMs)
    this.#close = { ...parts, since: () => this.#headSince }
  }

  /** Why the lane cannot be brought back for now. */
  get trouble(): RunInferenceError | undefined {
    return this.#trouble
  }

  /** How long the worker has been at the call at its head. */
  busyMs(): number {
    const isBusy = this.#link !== undefined && this.#reloads.length + this.#calls.length > 0
    return isBusy ? this.#parts.clock.now() - this.#headSince : 0
  }

  /** Throws CLOSED after `close`. */
  mustBeOpen(): void {
    if (this.#closing !== undefined)
      throw new RunInferenceError('CLOSED', `${this.#name} was closed; no call is taken any more`)
  }

  /** Rejects as S1, S3 and S4 say, CLOSED after `close`, else what the lane answers. */
  async call(message: LaneCall): Promise<LaneAnswer> {
    this.mustBeOpen()
    return this.#enqueue(message)
  }

  /** No worker is left, or there was none. */
  get hasEnded(): boolean {
    return this.#link === undefined
  }

  /** As `Lane.close`. */
  async close(soon?: 'soon'): Promise<void> {
    this.#closing ??= this.#end()
    await (soon && this.#link ? closedSoon(this.#closing, this.#link, this.#close) : this.#closing)
  }

  async #end(): Promise<void> {
    this.#cancelStart?.()
    if (!this.#link) return this.#giveUp(this.#lost('was closed before its worker had been replaced'))
    const cancel = endWhenLate(this.#link, this.#close)
    await this.#enqueue({ type: 'close' })
    await this.#closed.promise
    cancel()
  }

  #enqueue(message: LaneCall): Promise<LaneAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<LaneAnswer>()
    const call: Call = { message: { ...message, call: ++this.#lastCall }, resolve, reject }
    this.#calls.push(call)
    if (!this.#link) this.#start()
    else if (this.#reloads.length === 0) this.#send(call)
    return promise
  }

  #send(call: Call): void {
    try {
      this.#link!.post(call.message)
    } catch (error) {
      this.#calls.splice(this.#calls.indexOf(call), 1)
      call.reject(RunInferenceError.from(error, 'BUG', `a '${call.message.type}' cannot be sent to ${this.#name}`))
      return
    }
    if (call === this.#calls[0]) this.#comesToHead(call.message)
  }

  /** A worker takes the place of none, at once or after the pause that is due. */
  #start(): void {
    if (this.#cancelStart) return
    const restMs = this.#losses.restMs()
    if (restMs > 0) this.#cancelStart = this.#parts.clock.after(restMs, () => this.#open())
    else this.#open()
  }

  #open(): void {
    this.#cancelStart = undefined
    const generation = ++this.#generation
    const isCurrent = () => generation === this.#generation
    this.#link = this.#parts.openLink({
      reply: message => isCurrent() && this.#replied(message),
      ended: how => isCurrent() && this.#ended(how),
    })
    this.#reloads = Array.from(this.#models.values(), ({ load }) => load)
    for (const message of this.#reloads) this.#link.post(message)
    if (this.#reloads[0]) this.#comesToHead(this.#reloads[0])
    else this.#goOn()
  }

  /** The worker has loaded what it must know. */
  #goOn(): void {
    this.#trouble = undefined
    for (const call of [...this.#calls]) this.#send(call)
  }

  #comesToHead(message: ToLane): void {
    const { clock } = this.#parts
    const { kill } = this.#link!
    this.#headSince = clock.now()
    if (!kill) return
    const limitMs = this.#limits.of(message, this.#specOf(message))
    this.#cancelDeadline = startDeadline(clock, limitMs, () => {
      this.#expiredMs = limitMs
      kill()
    })
  }

  /** The model of a call whose rows may be to blame. */
  #specOf(message: ToLane): ModelSpec | undefined {
    if (message.type !== 'run' && message.type !== 'control') return undefined
    return this.#models.get(message.model)?.load.spec
  }

  #replied(reply: FromLane): void {
    // Too late: the call has had its time, and its worker is being ended.
    if (this.#expiredMs !== undefined) return
    this.#cancelDeadline()
    if (this.#reloads.length > 0) this.#reloaded(reply)
    else this.#answered(reply)
  }

  #reloaded(reply: FromLane): void {
    const { model, spec } = this.#reloads[0]!
    const problem = reloadProblem(reply, spec.uri, this.#models.get(model)?.sha256)
    if (problem !== undefined) {
      this.#discard()
      this.#replace(`since its models cannot be loaded again: ${problem}`, 'crash', true)
      return
    }
    if (reply.type === 'loaded') this.#parts.onReloaded?.(model, reply.loaded)
    this.#reloads = this.#reloads.slice(1)
    if (this.#reloads[0]) this.#comesToHead(this.#reloads[0])
    else this.#goOn()
  }

  #answered(reply: FromLane): void {
    const [call] = this.#calls
    if (call?.message.call !== reply.call) {
      this.#discard()
      this.#ended(`it answered call ${reply.call} out of turn`)
      return
    }
    this.#calls.shift()
    const { message } = call
    this.#limits.answered(message, this.#parts.clock.now() - this.#headSince)
    if (message.type === 'run' || message.type === 'control') this.#losses.forget()
    if (message.type === 'load' && reply.type === 'loaded')
      this.#models.set(message.model, { load: message, sha256: reply.loaded.sha256 })
    if (message.type === 'unload') this.#models.delete(message.model)
    if (this.#calls[0]) this.#comesToHead(this.#calls[0].message)
    if (reply.type === 'failed') call.reject(reviveError(reply.error))
    else call.resolve(reply)
  }

  /** Nothing of this worker is wanted any more. */
  #discard(): void {
    const link = this.#link!
    this.#generation++
    if (link.kill) link.kill()
    else link.post({ type: 'close', call: 0 })
  }

  #ended(how: string): void {
    this.#cancelDeadline()
    // Nobody waits: it was told to close, and did.
    if (this.#closing !== undefined && this.#calls.length === 0) {
      this.#link = undefined
      this.#closed.resolve()
      return
    }
    const loss: Loss = { name: this.#name, how, expiredMs: this.#expiredMs }
    const head = this.#reloads.length > 0 ? undefined : this.#calls.shift()
    if (head) this.#blame(head, loss)
    const cause = causeOf(head?.message ?? this.#reloads[0], loss)
    this.#replace(cause, loss.expiredMs === undefined ? 'crash' : 'timeout', head?.message.type !== 'run')
  }

  #replace(how: string, reason: keyof LaneRestarts, counts: boolean): void {
    const { id, logger } = this.#parts
    this.#link = undefined
    this.#reloads = []
    this.#expiredMs = undefined
    this.restarts[reason]++
    if (counts) this.#losses.add()
    const restMs = Math.round(this.#losses.restMs())
    const facts = { lane: id, reason: how, restMs, inARow: this.#losses.inARow }
    if (this.#closing !== undefined) {
      logger.warn(facts, 'a lane was lost while it closed')
      this.#giveUp(this.#lost(`lost its worker while it closed, ${how}`))
      this.#closed.resolve()
      return
    }
    if (counts && this.#losses.areTooMany) {
      logger.error(facts, 'a lane is lost again and again: its calls fail until it comes back')
      this.#trouble = this.#lost(
        `has lost its worker ${this.#losses.inARow} times in a row, the last time ${how}. Its rows stay queued; ` +
          `it is tried again in ${restMs} ms`,
      )
      this.#giveUp(this.#trouble)
    } else logger.warn(facts, 'a lane was lost, and is replaced')
    if (this.#calls.length > 0 || this.#models.size > 0) this.#start()
  }

  #giveUp(error: RunInferenceError): void {
    for (const call of this.#calls.splice(0)) this.#endWithoutWorker(call, error)
  }

  #blame(call: Call, loss: Loss): void {
    const spec = this.#specOf(call.message)
    if (spec) call.reject(guilty(call.message, spec, loss))
    else this.#endWithoutWorker(call, this.#lost(`lost its worker ${causeOf(call.message, loss)}`))
  }

  #endWithoutWorker({ message, resolve, reject }: Call, error: RunInferenceError): void {
    if (message.type === 'unload') this.#models.delete(message.model)
    // What was to be let go has gone with the worker.
    if (message.type === 'unload' || message.type === 'close') resolve({ type: 'done', call: message.call })
    else reject(error)
  }

  #lost(what: string): RunInferenceError {
    return new RunInferenceError('LANE_LOST', `${this.#name} ${what}`)
  }
}
