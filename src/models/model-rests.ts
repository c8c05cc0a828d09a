import type { Clock } from '../ops/clock.ts'

const FIRST_REST_MS = 100
const MAX_REST_MS = 5_000

/** Models of a step that met an outage: each rests, longer each time, and the others go on. */
export class ModelRests {
  readonly #clock: Clock
  readonly #random: () => number
  readonly #onOver: () => void
  readonly #resting = new Map<number, { readonly untilMs: number; readonly times: number }>()
  readonly #timers = new Set<() => void>()
  #isClosed = false

  /** `onOver`: a rest may be over. */
  constructor(clock: Clock, random: () => number, onOver: () => void) {
    this.#clock = clock
    this.#random = random
    this.#onOver = onOver
  }

  isResting(cohort: number, nowMs: number): boolean {
    if (this.#resting.size === 0) return false
    const rest = this.#resting.get(cohort)
    return rest !== undefined && rest.untilMs > nowMs
  }

  /** Those whose rest is over, and that have not worked since. */
  *rested(nowMs: number): Generator<number> {
    for (const [cohort, { untilMs }] of this.#resting) if (untilMs <= nowMs) yield cohort
  }

  /** It met an outage, once more. */
  add(cohort: number): void {
    const times = (this.#resting.get(cohort)?.times ?? 0) + 1
    const restMs = Math.min(MAX_REST_MS, FIRST_REST_MS * 2 ** (times - 1)) * (0.5 + this.#random() / 2)
    this.#resting.set(cohort, { untilMs: this.#clock.now() + restMs, times })
    this.wakeAfter(restMs)
  }

  /** It works; true when it had met an outage. */
  forget(cohort: number): boolean {
    return this.#resting.size > 0 && this.#resting.delete(cohort)
  }

  /** `onOver` is called then. */
  wakeAfter(delayMs: number): void {
    if (this.#isClosed) return
    const cancel = this.#clock.after(delayMs, () => {
      this.#timers.delete(cancel)
      this.#onOver()
    })
    this.#timers.add(cancel)
  }

  close(): void {
    this.#isClosed = true
    for (const cancel of this.#timers) cancel()
    this.#timers.clear()
  }
}
