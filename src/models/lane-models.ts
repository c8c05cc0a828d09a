/**
 * The models of one step in one lane: those it holds, the least recently used first, and the one that is being loaded. Who
 * loads calls one after the other.
 *
 * L1. It never holds more than maxModelsPerWorker models, the one that is being loaded counted: others leave before the load.
 * L2. Nor more than maxBytesPerWorker bytes, unless it is one model alone. What a model takes is known when it has been loaded
 *     once, in any lane: only a first load may go beyond the limit, until it has ended.
 * L3. The least recently used leave first; never one whose slots are in use: then the load waits.
 * L4. A load that fails leaves nothing behind.
 */
import type { Logger } from '../ops/logger.ts'
import type { BatchSlot, Lane, LaneModel, ModelSpec } from './executor.ts'
import type { ModelLimits } from './model-handler.ts'

export interface LaneModelsParts {
  readonly limits: ModelLimits
  /** What models took when they were loaded last, for all lanes of a step. */
  readonly sizes: Map<number, number>
  readonly logger: Logger
  readonly onEvicted: (cohort: number, left: number) => void
}

interface Held {
  readonly model: LaneModel
  slots: number
}

export class LaneModels {
  readonly lane: Lane
  readonly #parts: LaneModelsParts
  readonly #maxModels: number
  readonly #maxBytes: number
  /** By cohort, the least recently used first. */
  readonly #held = new Map<number, Held>()
  #loading: number | undefined
  #onRoom: (() => void) | undefined

  constructor(lane: Lane, parts: LaneModelsParts) {
    this.lane = lane
    this.#parts = parts
    this.#maxModels = parts.limits.maxModelsPerWorker ?? Number.POSITIVE_INFINITY
    this.#maxBytes = parts.limits.maxBytesPerWorker ?? Number.POSITIVE_INFINITY
  }

  /** The cohort whose model is being loaded. */
  get loading(): number | undefined {
    return this.#loading
  }

  get count(): number {
    return this.#held.size
  }

  holds(cohort: number): boolean {
    return this.#held.has(cohort)
  }

  modelOf(cohort: number): LaneModel | undefined {
    return this.#held.get(cohort)?.model
  }

  /** The least recently used first. */
  *models(): Generator<LaneModel> {
    for (const { model } of this.#held.values()) yield model
  }

  /** A slot for a batch of this cohort; undefined when the lane's places are taken. Tell `released` when it was released. */
  acquire(cohort: number): BatchSlot | undefined {
    const held = this.#held.get(cohort)
    const slot = held?.model.acquire()
    if (!held || !slot) return undefined
    held.slots++
    if (this.#held.size > 1) {
      this.#held.delete(cohort)
      this.#held.set(cohort, held)
    }
    return slot
  }

  released(cohort: number): void {
    this.#held.get(cohort)!.slots--
    this.#trim()
    this.#onRoom?.()
  }

  /** True when the model of this cohort can be loaded without another one leaving. */
  hasRoomFor(cohort: number): boolean {
    const { sizes } = this.#parts
    if (this.#held.size === 0) return true
    return this.#held.size < this.#maxModels && this.#bytes() + (sizes.get(cohort) ?? 0) <= this.#maxBytes
  }

  /** Makes room, then loads. Rejects as `Lane.load`. */
  async load(cohort: number, spec: ModelSpec): Promise<LaneModel> {
    this.#loading = cohort
    try {
      while (!this.hasRoomFor(cohort)) if (!this.#evictOldest()) await this.#room()
      const model = await this.lane.load(spec)
      this.#parts.sizes.set(cohort, model.loaded.sizeBytes)
      this.#held.set(cohort, { model, slots: 0 })
      return model
    } finally {
      this.#loading = undefined
      this.#trim()
    }
  }

  /** Others leave when the one that came is larger than was known (L2). */
  #trim(): void {
    while (this.#held.size > 1 && this.#bytes() > this.#maxBytes) {
      const newest = [...this.#held.keys()].at(-1)
      if (!this.#evictOldest(newest)) return
    }
  }

  #bytes(): number {
    if (this.#maxBytes === Number.POSITIVE_INFINITY) return 0
    let bytes = 0
    for (const cohort of this.#held.keys()) bytes += this.#parts.sizes.get(cohort) ?? 0
    return bytes
  }

  #room(): Promise<void> {
    return new Promise(resolve => {
      this.#onRoom = resolve
    })
  }

  /** False when all but `kept` are in use. */
  #evictOldest(kept?: number): boolean {
    for (const [cohort, { model, slots }] of this.#held) {
      if (slots > 0 || cohort === kept) continue
      this.#held.delete(cohort)
      this.#parts.onEvicted(cohort, this.#held.size)
      model.unload().catch((error: unknown) => {
        const facts = { lane: this.lane.id, modelId: model.loaded.modelId, reason: String(error) }
        this.#parts.logger.warn(
          facts,
          'a model was not unloaded in order: its memory may stay in use until its worker ends',
        )
      })
      return true
    }
    return false
  }
}
