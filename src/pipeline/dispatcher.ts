/**
 * Gives lanes their work: idle lanes first, then full batches for the prefetch places. Steps take turns: behind another
 * step's batch also one that is not full may be prefetched when its first row has waited for a while, or a busy step would
 * starve a quiet one. At once would be too early: a step that gets every fifth record would run as many batches as the one
 * that gets all of them.
 *
 * P1. The main thread never runs a model (I6): it fills slots and goes on.
 * P2. While a step's breaker is open nothing of it is dispatched; its rows stay queued (I10).
 *     What the breaker, and the rests of an outage, are told of is the step's own models: one on trial that works does not say that
 *     these do, and one that does not is somebody else's to judge.
 * P3. No more lanes run at once than the executor was made for, also while lanes come and go.
 * P4. Work is looked for once per turn of the event loop, however many blocks came with it.
 */

import { isRetriable } from '../errors.ts'
import { LANE_PLACES, type Lane } from '../models/executor.ts'
import type { Breaker } from '../ops/breaker.ts'
import type { Clock } from '../ops/clock.ts'
import { codeOf } from './batch-recovery.ts'
import type { LanePlace } from './batcher.ts'
import type { InferenceStep } from './inference-step.ts'
import { LaneTurns } from './lane-turns.ts'
import type { CloseReason } from './row-run.ts'

/** How long the rows of a step wait for a full batch while the lanes are busy with other steps. */
const PATIENCE_MS = 5
const FIRST_RETRY_MS = 100
const MAX_RETRY_MS = 5_000
const NO_LANES: readonly Lane[] = []

export interface DispatcherStep {
  readonly step: InferenceStep
  readonly breaker: Breaker
  /** Models of the step's handler; those on trial are numbered behind them. */
  readonly cohorts: number
}

export interface DispatcherOptions {
  /** Of the executor: one list that changes. When the dispatcher is made, each has a seat of its own. */
  readonly lanes: readonly Lane[]
  readonly steps: readonly DispatcherStep[]
  readonly clock: Clock
  readonly random: () => number
  readonly onOutage: (step: string, error: unknown) => void
  readonly onRecovered: (step: string) => void
  /** An error that is no outage came out of a step: a bug of ours. */
  readonly onFatal: (error: unknown) => void
  /** No lane has a batch any more. */
  readonly onQuiet: () => void
}

export class Dispatcher {
  readonly #options: DispatcherOptions
  readonly #failures = new Map<InferenceStep, number>()
  readonly #resting = new Set<InferenceStep>()
  #scheduled = false
  #closed = false
  #halted = false
  readonly #turns: LaneTurns
  #running = 0
  #turn = 0
  /** The step of the last batch. */
  #served: InferenceStep | undefined
  #cancelTimer: (() => void) | undefined

  constructor(options: DispatcherOptions) {
    this.#options = options
    this.#turns = new LaneTurns(options.lanes)
  }

  /** Batches that are in lanes now. */
  get running(): number {
    return this.#running
  }

  /** Gives away what makes full batches now: lanes work on them while the rest of a fetch is still being decoded. */
  dispatchFull(): void {
    this.#pump('full')
  }

  /** Gives away what can be, now: a place has become free, and what follows takes its time. */
  dispatchNow(): void {
    this.#pump('any')
  }

  /** Looks for work at the end of this turn. */
  schedule(): void {
    if (this.#scheduled || this.#closed) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      this.#pump('any')
    })
  }

  /** Nothing is held back while set: batches close for this reason. */
  flush(reason: CloseReason | undefined): void {
    for (const { step } of this.#options.steps) step.flushing = reason
    if (reason) this.schedule()
  }

  /** The control batch has passed: the step's rows may be dispatched again. */
  resume(step: InferenceStep): void {
    this.#recovered(step)
    this.schedule()
  }

  /** While set nothing is dispatched; batches in lanes end by themselves. */
  set halted(isHalted: boolean) {
    this.#halted = isHalted
    this.schedule()
  }

  /** Forgets what waits of partitions that were lost: their credits have been returned (I5). */
  dropLost(): void {
    for (const { step } of this.#options.steps) step.dropLost()
  }

  /** Stops the timers; nothing is dispatched any more. Batches in lanes end by themselves. */
  close(): void {
    this.#closed = true
    this.#cancelTimer?.()
    for (const { breaker } of this.#options.steps) breaker.shutdown()
  }

  #pump(batches: 'any' | 'full'): void {
    const { lanes, steps, onFatal } = this.#options
    if (this.#closed || this.#halted) return
    try {
      for (const { step } of steps) step.collect()
      const place = batches === 'any' ? 'idle' : 'prefetch'
      if (this.#turns.areShared(lanes)) this.#takeTurns(place)
      else {
        const idle = lanes.filter(lane => lane.occupied === 0)
        for (let i = 0; i < idle.length; i++) this.#offer(idle[i]!, place, idle, i)
        this.#prefetch(lanes)
      }
      if (batches === 'any') this.#armTimer()
    } catch (error) {
      onFatal(error)
    }
  }

  /** The same where lanes share seats (lane-turns.ts). */
  #takeTurns(place: LanePlace): void {
    const { lanes, steps, clock } = this.#options
    const nowMs = clock.now()
    const idle = this.#turns.idle(lanes)
    const taken = new Set<number>()
    idle.forEach((lane, i) => {
      if (taken.has(lane.seat)) return
      this.#offer(lane, place, idle, i)
      if (lane.occupied === 0) return
      taken.add(lane.seat)
      this.#turns.took(lane)
    })
    const wants = (lane: Lane) => steps.some(each => this.#mayRun(each, lane) && each.step.wants(lane, nowMs))
    this.#prefetch(this.#turns.busy(lanes, wants))
  }

  #mayRun({ step, breaker }: DispatcherStep, lane: Lane): boolean {
    return step.canRunOn(lane) && !this.#resting.has(step) && breaker.state === 'closed'
  }

  /** Full batches behind the running ones, evenly over the lanes. */
  #prefetch(lanes: readonly Lane[]): void {
    for (let occupied = 1; occupied < LANE_PLACES; occupied++) {
      for (const lane of lanes) if (lane.occupied === occupied) this.#offer(lane, 'prefetch', NO_LANES, 0)
    }
  }

  /** One batch for this lane, from the next step in turn that has one. It shares with the idle lanes from `first` on. */
  #offer(lane: Lane, place: LanePlace, idle: readonly Lane[], first: number): void {
    const { steps, clock } = this.#options
    const now = clock.now()
    for (let i = 0; i < steps.length; i++) {
      const next = steps[(this.#turn + i) % steps.length]!
      if (!this.#mayRun(next, lane)) continue
      const { step, breaker, cohorts } = next
      const mayBePart = this.#served !== undefined && this.#served !== step && step.waitedMs(now) >= PATIENCE_MS
      const batch = step.take(lane, mayBePart ? 'idle' : place, idle, first, now)
      if (!batch) continue
      const slot = step.acquire(lane, batch)
      if (!slot) {
        step.putBack(batch)
        return
      }
      this.#turn = (this.#turn + i + 1) % steps.length
      this.#served = step
      this.#running++
      const isOnTrial = slot.version.cohort >= cohorts
      const run = () => step.run(slot, batch)
      const ran = isOnTrial ? run() : breaker.run(run)
      ran
        .then(
          () => isOnTrial || this.#recovered(step),
          (error: unknown) => this.#rest(step, error),
        )
        .finally(() => {
          this.#running--
          this.schedule()
          if (this.#running === 0) this.#options.onQuiet()
        })
        .catch(this.#options.onFatal)
      return
    }
  }

  #recovered(step: InferenceStep): void {
    if (!this.#failures.delete(step)) return
    this.#options.onRecovered(step.step)
  }

  /** An outage: this step waits before its next batch, longer each time; the breaker takes over when it opens. */
  #rest(step: InferenceStep, error: unknown): void {
    const { clock, random, onOutage, onFatal } = this.#options
    // The batch alone waits: others may be luckier.
    if (codeOf(error) === 'MODEL_TRANSIENT') return
    if (!isRetriable(error)) {
      // Its rows are back in the queue: without a rest they would be taken again at once, for ever.
      this.#resting.add(step)
      // What is closed is being stopped; anything else that is no outage is a bug of ours.
      if (codeOf(error) !== 'CLOSED') onFatal(error)
      return
    }
    const failures = (this.#failures.get(step) ?? 0) + 1
    this.#failures.set(step, failures)
    this.#resting.add(step)
    onOutage(step.step, error)
    const delayMs = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** (failures - 1)) * (0.5 + random() / 2)
    clock.after(delayMs, () => {
      this.#resting.delete(step)
      if (step.queuedRows > 0) this.schedule()
      else this.#probe(step)
    })
  }

  /** Its rows were lost with their partitions: only the control batch can tell when the outage is over. */
  #probe(step: InferenceStep): void {
    if (this.#closed) return
    step
      .probe()
      .then(
        () => this.#recovered(step),
        (error: unknown) => this.#rest(step, error),
      )
      .catch(this.#options.onFatal)
  }

  /** Wakes up when a batch that is held back must close. */
  #armTimer(): void {
    const { steps, clock } = this.#options
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    const now = clock.now()
    // A deadline that has passed waits for a lane, and a lane that becomes free looks for work anyway.
    const deadlines = steps.map(({ step }) => step.deadlineMs(now)).filter(at => at !== undefined)
    if (deadlines.length === 0) return
    this.#cancelTimer = clock.after(Math.min(...(deadlines as number[])) - now, () => this.schedule())
  }
}
