import { type Clock, sleep } from '../ops/clock.ts'

/** Waits between attempts of one loop: doubles from `initialMs` to `maxMs`, each wait drawn from its upper half. */
export class Backoff {
  readonly #clock: Clock
  readonly #random: () => number
  readonly #initialMs: number
  readonly #maxMs: number
  #nextMs: number

  constructor(clock: Clock, random: () => number, initialMs = 100, maxMs = 1_000) {
    this.#clock = clock
    this.#random = random
    this.#initialMs = initialMs
    this.#maxMs = maxMs
    this.#nextMs = initialMs
  }

  /** How long the next wait is, in milliseconds; the one after is longer. */
  nextMs(): number {
    const ceilingMs = this.#nextMs
    this.#nextMs = Math.min(this.#maxMs, ceilingMs * 2)
    return ceilingMs * (0.5 + 0.5 * this.#random())
  }

  wait(signal?: AbortSignal): Promise<void> {
    return sleep(this.#clock, this.nextMs(), signal)
  }

  /** To be called when an attempt worked. */
  reset(): void {
    this.#nextMs = this.#initialMs
  }
}
