import type { Clock } from '../ops/clock.ts'

/** So many in a row, and the lane is given up until somebody calls again. */
const TOO_MANY = 5
const FIRST_REST_MS = 100
const MAX_REST_MS = 30_000
/** Losses that lie further apart are not a row. */
const APART_MS = 60_000

/** Counts the losses of a lane that nothing useful came between, and says how long to wait before the next start. */
export class LaneLosses {
  readonly #clock: Clock
  readonly #random: () => number
  #inARow = 0
  #lastAt = 0
  #notBefore = 0

  constructor(clock: Clock, random: () => number) {
    this.#clock = clock
    this.#random = random
  }

  get inARow(): number {
    return this.#inARow
  }

  get areTooMany(): boolean {
    return this.#inARow >= TOO_MANY
  }

  add(): void {
    const now = this.#clock.now()
    this.#inARow = now - this.#lastAt > APART_MS ? 1 : this.#inARow + 1
    this.#lastAt = now
    const restMs = Math.min(MAX_REST_MS, FIRST_REST_MS * 2 ** (this.#inARow - 1))
    this.#notBefore = now + restMs * (0.5 + this.#random() / 2)
  }

  /** The lane has done what it is for. */
  forget(): void {
    this.#inARow = 0
    this.#notBefore = 0
  }

  /** How long the next start has to wait. */
  restMs(): number {
    return Math.max(0, this.#notBefore - this.#clock.now())
  }
}
