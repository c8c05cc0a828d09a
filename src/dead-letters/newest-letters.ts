import type { DeadLetter } from './dead-letter.ts'

interface Kept<T> {
  readonly item: T
  readonly time: number
  readonly turn: number
}

/** Keeps the newest of what it is given, by the time of failing; of the same time what came last. Memory: twice `limit`. */
export class NewestLetters<T> {
  readonly #limit: number
  #kept: Kept<T>[] = []
  #turns = 0
  /** What is older is not among the newest. */
  #oldest = Number.NEGATIVE_INFINITY

  constructor(limit: number) {
    this.#limit = limit
  }

  /** `make` is called only for what may be among them. */
  add({ failedAt, writtenAt }: DeadLetter, make: () => T): void {
    const time = failedAt ?? writtenAt
    if (this.#limit === 0 || time < this.#oldest) return
    this.#kept.push({ item: make(), time, turn: this.#turns++ })
    if (this.#kept.length >= 2 * this.#limit) this.#shrink()
  }

  /** Newest first. */
  list(): readonly T[] {
    this.#shrink()
    return this.#kept.map(({ item }) => item)
  }

  #shrink(): void {
    this.#kept = this.#kept.sort((a, b) => b.time - a.time || b.turn - a.turn).slice(0, this.#limit)
    if (this.#kept.length === this.#limit) this.#oldest = this.#kept.at(-1)?.time ?? this.#oldest
  }
}
