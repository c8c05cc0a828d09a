/** How many models an instance loads beside those that serve: where many are published at once, the others wait for their turn. */
export class LoadTurns {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(places: number) {
    this.#free = places
  }

  /** Rejects as `load` does; with the signal's reason where it comes before the turn. */
  async take<T>(signal: AbortSignal, load: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--
    else await this.#turn(signal)
    try {
      signal.throwIfAborted()
      return await load()
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#free++
    }
  }

  #turn(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const leave = () => {
      this.#waiting.splice(this.#waiting.indexOf(come), 1)
      reject(signal.reason)
    }
    const come = () => {
      signal.removeEventListener('abort', leave)
      resolve()
    }
    this.#waiting.push(come)
    signal.addEventListener('abort', leave, { once: true })
    return promise
  }
}
