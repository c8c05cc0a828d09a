import type { FaultPoint, MemoryFaults } from './memory-faults.ts'

/** The way of one client to the broker. While it is cut, requests wait, also those on their way; then they come, late. */
export class MemoryLink {
  readonly #faults: MemoryFaults
  #mended: Promise<void> | undefined

  constructor(faults: MemoryFaults) {
    this.#faults = faults
  }

  /** False: nothing that is sent now is heard. */
  get isUp(): boolean {
    return this.#faults.isUp && this.#mended === undefined
  }

  /** Until the returned function is called. */
  cut(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#mended = promise
    return () => {
      if (this.#mended === promise) this.#mended = undefined
      resolve()
    }
  }

  /** The way of one request. Rejects as a client sees it: BROKER_UNAVAILABLE, or what the test has asked for. */
  async pass(point: FaultPoint): Promise<void> {
    do {
      await this.#mended
      await this.#faults.pass(point)
    } while (this.#mended !== undefined)
  }

  /** Waits before a request is tried again. */
  backOff(signal?: AbortSignal): Promise<void> {
    return this.#faults.backOff(signal)
  }
}
