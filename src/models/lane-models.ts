/**
 * The models of one step in one lane: those it holds, the least recently used first, and the one that is being loaded. Who
 * loads calls one after the other.
 *
 * L1. It never holds more than maxModelsPerWorker models, the one that is being loaded counted: others leave before the load.
 * L2. Nor more than maxBytesPerWorker bytes, unless it is one model alone. What a model takes is known when it has been loaded
 *     once, in any lane: only a first load may go beyond the limit, until it has ended.
 * L3. The least recently used leave first; never one whose slots are in use: then the load waits.
 * L4. A load that fails leaves nothing behind.
 * L5. One that was replaced leaves when its slots are free and no batch that began on it waits for its next try.
 */
import type { Logger } from '../ops/logger.ts'
import type { Lane, LaneModel } from './executor.ts'
import type { ModelLimits } from './model-handler.ts'
import type { ModelSlot, ModelVersion } from './model-version.ts'

export interface LaneModelsParts {
  readonly limits: ModelLimits
  /** What models took when they were loaded last, for all lanes of a step. */
  readonly sizes: WeakMap<ModelVersion, number>
  readonly logger: Logger
  /** One has left to make room for another one. */
  readonly onEvicted: (version: ModelVersion, left: number) => void
  /** One that was replaced has left. */
  readonly onLeft: (version: ModelVersion, left: number) => void
  /** A batch that began on it waits for its next try. */
  readonly isWanted: (version: ModelVersion) => boolean
}

interface Held {
  readonly model: LaneModel
  slots: number
  isLeaving: boolean
}

export class LaneModels {
  readonly lane: Lane
  readonly #parts: LaneModelsParts
  readonly #maxModels: number
  readonly #maxBytes: number
  /** The least recently used first. */
  readonly #held = new Map<ModelVersion, Held>()
  #leaving = 0
  #loading: ModelVersion | undefined
  #onRoom: (() => void) | undefined

  constructor(lane: Lane, parts: LaneModelsParts) {
    this.lane = lane
    this.#parts = parts
    this.#maxModels = parts.limits.maxModelsPerWorker ?? Number.POSITIVE_INFINITY
    this.#maxBytes = parts.limits.maxBytesPerWorker ?? Number.POSITIVE_INFINITY
  }

  /** The one that is being loaded. */
  get loading(): ModelVersion | undefined {
    return this.#loading
  }

  /** How many it holds, with those that are to leave. */
  get count(): number {
    return this.#held.size
  }

  /** True for one that is here to stay. */
  holds(version: ModelVersion): boolean {
    return this.#held.get(version)?.isLeaving === false
  }

  /** True for one that is to leave as well. */
  stillHolds(version: ModelVersion): boolean {
    return this.#held.has(version)
  }

  modelOf(version: ModelVersion): LaneModel | undefined {
    return this.#held.get(version)?.model
  }

  /** Those that are here to stay, the least recently used first. */
  *models(): Generator<LaneModel> {
    for (const { model, isLeaving } of this.#held.values()) if (!isLeaving) yield model
  }

  /** A slot for a batch; undefined when the lane's places are taken. */
  acquire(version: ModelVersion): ModelSlot | undefined {
    const held = this.#held.get(version)
    const slot = held?.model.acquire()
    if (!held || !slot) return undefined
    held.slots++
    if (this.#held.size > 1) {
      this.#held.delete(version)
      this.#held.set(version, held)
    }
    const release = () => {
      slot.release()
      held.slots--
      this.#released()
    }
    return { slot, model: held.model, version, release }
  }

  /** True when this one can be loaded without another one leaving. */
  hasRoomFor(version: ModelVersion): boolean {
    if (this.#held.size === 0) return true
    return this.#held.size < this.#maxModels && this.#bytes() + this.#bytesOf(version) <= this.#maxBytes
  }

  /** Makes room, then loads. Rejects as `Lane.load`. */
  async load(version: ModelVersion): Promise<LaneModel> {
    this.#loading = version
    try {
      while (!this.hasRoomFor(version)) if (!this.#evictOldest()) await this.#room()
      const model = await this.lane.load(version.spec)
      this.hold(version, model)
      return model
    } finally {
      this.#loading = undefined
      this.#trim()
    }
  }

  /** It has been loaded in this lane. */
  hold(version: ModelVersion, model: LaneModel): void {
    this.#parts.sizes.set(version, model.loaded.sizeBytes)
    this.#held.set(version, { model, slots: 0, isLeaving: false })
  }

  /** It is to leave (L5); one that is not here has left. */
  leave(version: ModelVersion): void {
    const held = this.#held.get(version)
    if (!held || held.isLeaving) return
    held.isLeaving = true
    this.#leaving++
    this.letGo()
  }

  /** Lets those go that may leave by now. */
  letGo(): void {
    if (this.#leaving === 0) return
    for (const [version, { model, slots, isLeaving }] of this.#held) {
      if (!isLeaving || slots > 0 || this.#parts.isWanted(version)) continue
      this.#remove(version, model)
      this.#parts.onLeft(version, this.#held.size)
    }
  }

  #released(): void {
    this.letGo()
    this.#trim()
    this.#onRoom?.()
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
    for (const version of this.#held.keys()) bytes += this.#bytesOf(version)
    return bytes
  }

  #bytesOf(version: ModelVersion): number {
    return this.#parts.sizes.get(version) ?? 0
  }

  #room(): Promise<void> {
    return new Promise(resolve => {
      this.#onRoom = resolve
    })
  }

  /** False when all but `kept` are in use. */
  #evictOldest(kept?: ModelVersion): boolean {
    for (const [version, { model, slots }] of this.#held) {
      if (slots > 0 || version === kept) continue
      this.#remove(version, model)
      this.#parts.onEvicted(version, this.#held.size)
      return true
    }
    return false
  }

  #remove(version: ModelVersion, model: LaneModel): void {
    if (this.#held.get(version)!.isLeaving) this.#leaving--
    this.#held.delete(version)
    model.unload().catch((error: unknown) => {
      const facts = { lane: this.lane.id, modelId: model.loaded.modelId, reason: String(error) }
      this.#parts.logger.warn(
        facts,
        'a model was not unloaded in order: its memory may stay in use until its worker ends',
      )
    })
  }
}
