import { type Clock, sleep } from '../ops/clock.ts'

const SLICES_PER_SECOND = 4
/** What was not used of the rate is kept for so long. */
const MADE_UP_MS = 1_000

export interface PaceParts {
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Letters a second, at most. */
  readonly rate?: number
}

/** Keeps to a rate. An outage, or a long way without letters, is not made up for by a flood. */
export class ReplayPace {
  readonly #parts: PaceParts
  #dueMs = 0

  constructor(parts: PaceParts) {
    this.#parts = parts
  }

  /** Letters that may be written at once. */
  get room(): number {
    const { rate = Number.POSITIVE_INFINITY } = this.#parts
    return Math.max(1, Math.ceil(rate / SLICES_PER_SECOND))
  }

  /** Behind so many letters, waits until the next one is due. */
  async behind(letters: number): Promise<void> {
    const { clock, rate, signal } = this.#parts
    if (rate === undefined) return
    this.#dueMs = Math.max(this.#dueMs, clock.now() - MADE_UP_MS) + (letters / rate) * 1_000
    if (this.#dueMs > clock.now()) await sleep(clock, this.#dueMs - clock.now(), signal)
  }
}
