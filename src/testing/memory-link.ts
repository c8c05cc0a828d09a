import type { FaultPoint, MemoryFaults } from './memory-faults.ts'

/**
 * The way of one client to the broker. While it is cut, for all requests or for some, these wait, also those on their way;
 * then they come, late.
 */
export class MemoryLink {
  readonly #faults: MemoryFaults
  readonly #cuts = new Set<{ readonly points: readonly FaultPoint[] | undefined; readonly mended: Promise<void> }>()

  constructor(faults: MemoryFaults) {
    this.#faults = faults
  }

  /** False: nothing that is sent now is heard. */
  get isUp(): boolean {
    return this.#faults.isUp && this.#cutOf('join') === undefined
  }

  /** Until the returned function is called. */
  cut(points?: readonly FaultPoint[]): () => void {
    const { promise: mended, resolve } = Promise.withResolvers<void>()
    const cut = { points, mended }
    this.#cuts.add(cut)
    return () => {
      this.#cuts.delete(cut)
      resolve()
    }
  }

  /** The way of one request. Rejects as a client sees it: BROKER_UNAVAILABLE, or what the test has asked for. */
  async pass(point: FaultPoint): Promise<void> {
    do {
      for (let cut = this.#cutOf(point); cut !== undefined; cut = this.#cutOf(point)) await cut
      await this.#faults.pass(point)
    } while (this.#cutOf(point) !== undefined)
  }

  #cutOf(point: FaultPoint): Promise<void> | undefined {
    return [...this.#cuts].find(({ points }) => points === undefined || points.includes(point))?.mended
  }

  /** Waits before a request is tried again. */
  backOff(signal?: AbortSignal): Promise<void> {
    return this.#faults.backOff(signal)
  }
}
