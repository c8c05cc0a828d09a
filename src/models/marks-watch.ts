import type { Clock } from '../ops/clock.ts'
import { readMarks } from './function-marks.ts'

/** Looks at the marks of a worker now and then, and tells once when they have stood still for too long. */
export class MarksWatch {
  readonly #clock: Clock
  readonly #checkMs: number
  readonly #onStill: (count: number) => void
  #cancel: (() => void) | undefined

  constructor(clock: Clock, checkMs: number, onStill: (count: number) => void) {
    this.#clock = clock
    this.#checkMs = checkMs
    this.#onStill = onStill
  }

  /** Time counts from now on. */
  start(marks: SharedArrayBuffer, limitMs: number): void {
    this.stop()
    let seen = -1
    let stillMs = 0
    const lookLater = () => {
      const sinceMs = this.#clock.now()
      this.#cancel = this.#clock.after(this.#checkMs, () => {
        const { count } = readMarks(marks)
        // Time in which this whole process stood still does not count.
        const passedMs = Math.min(this.#clock.now() - sinceMs, 2 * this.#checkMs)
        stillMs = count === seen ? stillMs + passedMs : 0
        seen = count
        if (stillMs >= limitMs) this.#onStill(count)
        else lookLater()
      })
    }
    lookLater()
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }
}
