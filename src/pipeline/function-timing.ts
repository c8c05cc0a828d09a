/**
 * Notices synchronous functions that keep the main thread, which holds up every partition. Reading a clock costs more than a
 * quick function does, so quick calls are timed several together:
 *
 * T1. Every call is inside some measured time: a slow one is never missed.
 * T2. Where calls of several functions were timed together and one was slow, all of them are told; the calls that follow are
 *     timed one by one, so that it shows which.
 * T3. Time in which no function was called does not count: whoever begins a piece of work says so.
 */
import type { Logger } from '../ops/logger.ts'
import { type PipelineMetrics, SLOW_FUNCTION_MS } from './pipeline-metrics.ts'
import type { FailurePoint } from './stage.ts'

/** Calls that are timed together, when they are quick. */
const TOGETHER = 8
/** No quick ones: after so long a time, so many calls are timed one by one. */
const NOT_QUICK_MS = 10
const ONE_BY_ONE = 1_000
const LOG_INTERVAL_MS = 60_000

/** One object per function and place: `index` as in a dead letter of it. */
export interface TimedFunction {
  readonly point: FailurePoint
  readonly index: number
}

export interface FunctionTimerParts {
  readonly now: () => number
  readonly metrics: Pick<PipelineMetrics, 'slowFunction'>
  readonly logger: Logger
}

export class FunctionTimer {
  readonly #parts: FunctionTimerParts
  readonly #calls: TimedFunction[] = []
  #count = 0
  #together = 1
  #oneByOne = 0
  #sinceMs = 0
  #isAtWork = false
  readonly #loggedAtMs = new Map<TimedFunction, number>()

  constructor(parts: FunctionTimerParts) {
    this.#parts = parts
  }

  /** A piece of work begins: once per block or batch, before its first call. */
  begin(): void {
    if (this.#count > 0) this.#look()
    this.#sinceMs = this.#parts.now()
    this.#together = 1
    if (this.#isAtWork) return
    this.#isAtWork = true
    // Right behind the work, for the calls that nobody has looked at yet (T1).
    queueMicrotask(() => {
      this.#isAtWork = false
      if (this.#count > 0) this.#look()
    })
  }

  /** A call has ended, with a result or an error. */
  called(fn: TimedFunction): void {
    this.#calls[this.#count++] = fn
    if (this.#count >= this.#together) this.#look()
  }

  #look(): void {
    const nowMs = this.#parts.now()
    const ms = nowMs - this.#sinceMs
    this.#sinceMs = nowMs
    if (ms > SLOW_FUNCTION_MS) this.#tell(new Set(this.#calls.slice(0, this.#count)), ms, nowMs)
    this.#oneByOne = ms > NOT_QUICK_MS ? ONE_BY_ONE : Math.max(0, this.#oneByOne - this.#count)
    this.#together = this.#oneByOne > 0 ? 1 : Math.min(TOGETHER, this.#together * 2)
    this.#count = 0
  }

  #tell(functions: ReadonlySet<TimedFunction>, ms: number, nowMs: number): void {
    const { metrics, logger } = this.#parts
    for (const fn of functions) {
      const { point, index } = fn
      metrics.slowFunction(point, index, ms)
      if (nowMs - (this.#loggedAtMs.get(fn) ?? Number.NEGATIVE_INFINITY) < LOG_INTERVAL_MS) continue
      this.#loggedAtMs.set(fn, nowMs)
      const { step, stage, node } = point
      const facts = {
        step,
        stage,
        node,
        index,
        ms: Math.round(ms),
        ...(functions.size > 1 ? { oneOf: functions.size } : {}),
      }
      logger.warn(
        facts,
        'a function kept the main thread, which holds up every partition: make it quicker, or give its step functions: ' +
          "'worker' (told once a minute)",
      )
    }
  }
}
