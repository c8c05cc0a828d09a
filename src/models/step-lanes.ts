/**
 * Which lane holds which version of the models of one step, while versions come and go.
 *
 * V1. Each cohort has one version that serves, the same for all its lanes, from one batch to the next.
 * V2. A version that was replaced stays in its lanes until what began on it is done; then it is unloaded there (L5).
 * V3. A lane that holds nothing any more, and may load nothing, is left; it ends unless another step uses it.
 */
import { RunInferenceError } from '../errors.ts'
import type { Lane, LaneModel } from './executor.ts'
import { LaneModels, type LaneModelsParts } from './lane-models.ts'
import type { ModelSlot, ModelVersion } from './model-version.ts'
import type { SharedLanes } from './shared-lanes.ts'

export interface LaneState {
  readonly held: LaneModels
  /** Until then it keeps what it holds while it has work for that (M4). */
  staysUntilMs: number
}

export interface StepLanesParts extends Pick<LaneModelsParts, 'limits' | 'logger' | 'isWanted'> {
  readonly shared: SharedLanes
  readonly onEvicted: (version: ModelVersion, lane: Lane, left: number) => void
  readonly onLeft: (version: ModelVersion, lane: Lane, left: number) => void
}

export class StepLanes {
  readonly #parts: StepLanesParts
  /** By cohort. Behind those of the handler its candidates, or what takes their rows when there is none any more. */
  readonly #serving: ModelVersion[]
  readonly #replaced = new Set<ModelVersion>()
  readonly #lanes = new Map<Lane, LaneState>()
  /** Those of candidates that no record waits for. */
  readonly #aside = new Set<Lane>()
  readonly #sizes = new WeakMap<ModelVersion, number>()

  constructor(versions: readonly ModelVersion[], parts: StepLanesParts) {
    this.#parts = parts
    this.#serving = [...versions]
    for (const lane of new Set(versions.flatMap(({ lanes }) => lanes))) {
      this.#add(lane)
      parts.shared.use(lane)
    }
  }

  /** All that are given batches of the step, those that are to leave too. */
  get lanes(): Iterable<Lane> {
    if (this.#aside.size === 0) return this.#lanes.keys()
    return [...this.#lanes.keys()].filter(lane => !this.#aside.has(lane))
  }

  /** True while versions that were replaced have something to do. */
  get areChanging(): boolean {
    return this.#replaced.size > 0
  }

  /** Throws BUG for a lane of others. */
  stateOf(lane: Lane): LaneState {
    const state = this.#lanes.get(lane)
    if (!state) throw new RunInferenceError('BUG', `lane ${lane.id} has no models of the step`)
    return state
  }

  find(lane: Lane): LaneState | undefined {
    return this.#lanes.get(lane)
  }

  /** The version that serves a cohort, of candidates too. */
  versionOf(cohort: number): ModelVersion | undefined {
    return this.#serving[cohort]
  }

  modelIn(lane: Lane, cohort: number): LaneModel | undefined {
    const held = this.#lanes.get(lane)?.held
    const version = this.#serving[cohort]!
    return held?.holds(version) ? held.modelOf(version) : undefined
  }

  /** What all lanes hold and will go on to hold. */
  *loaded(): Generator<LaneModel> {
    for (const { held } of this.#lanes.values()) yield* held.models()
  }

  /** `begunOn`: the version of a batch that is tried again, if the lane still has it. */
  acquire(lane: Lane, cohort: number, begunOn: ModelVersion | undefined): ModelSlot | undefined {
    const held = this.#lanes.get(lane)?.held
    const version = begunOn && held?.stillHolds(begunOn) ? begunOn : this.#serving[cohort]!
    if (version.spare === lane) version.spareUses++
    return held?.acquire(version)
  }

  /** True while a lane that is well still has this version, though another one serves. */
  canEnd(version: ModelVersion): boolean {
    if (!this.#replaced.has(version)) return false
    for (const [lane, { held }] of this.#lanes) if (lane.trouble === undefined && held.stillHolds(version)) return true
    return false
  }

  /** A spare lane becomes one of the step's, with the model that was loaded in it. Returns how many it holds: one. */
  join(lane: Lane, version: ModelVersion, model: LaneModel): number {
    this.#parts.shared.enlist(lane, version.isAside)
    if (version.isAside) this.#aside.add(lane)
    const { held } = this.#add(lane)
    held.hold(version, model)
    return held.count
  }

  /** What was aside is given batches from now on, like any other. */
  admit(version: ModelVersion): void {
    version.isAside = false
    for (const lane of version.lanes) if (this.#aside.delete(lane)) this.#parts.shared.admit(lane)
  }

  /** This version serves these cohorts from now on; the one that did leaves, unless it serves others. */
  serve(version: ModelVersion, ...cohorts: readonly number[]): void {
    const before = new Set(cohorts.map(cohort => this.#serving[cohort]))
    for (const cohort of cohorts) this.#serving[cohort] = version
    for (const old of before) if (old && !this.#serving.includes(old)) this.#stepDown(old)
  }

  /** Cohorts that this version serves. */
  cohortsOf(version: ModelVersion): readonly number[] {
    return [...this.#serving.keys()].filter(cohort => this.#serving[cohort] === version)
  }

  /** True where a lane holds or loads this version. */
  isHeld(version: ModelVersion): boolean {
    for (const { held } of this.#lanes.values()) if (held.stillHolds(version) || held.loading === version) return true
    return false
  }

  /** The spare lane of this version is no longer needed. */
  dropSpare(version: ModelVersion): void {
    const { spare } = version
    version.spare = undefined
    if (spare) this.leave(spare, version)
  }

  /** This version is to leave this lane. */
  leave(lane: Lane, version: ModelVersion): void {
    this.#lanes.get(lane)?.held.leave(version)
    this.#sweep()
  }

  /** Looks whether versions that were replaced may leave by now. */
  letGo(): void {
    if (this.#replaced.size === 0) return
    for (const { held } of [...this.#lanes.values()]) held.letGo()
    this.#sweep()
  }

  #stepDown(version: ModelVersion): void {
    version.isReplaced = true
    version.spare = undefined
    this.#replaced.add(version)
    for (const { held } of [...this.#lanes.values()]) held.leave(version)
    this.#sweep()
  }

  #add(lane: Lane): LaneState {
    const { limits, logger, isWanted, onEvicted, onLeft } = this.#parts
    const held = new LaneModels(lane, {
      ...{ limits, logger, isWanted },
      sizes: this.#sizes,
      onEvicted: (version, left) => {
        onEvicted(version, lane, left)
        this.#sweep()
      },
      onLeft: (version, left) => {
        onLeft(version, lane, left)
        this.#sweep()
      },
    })
    const state = { held, staysUntilMs: 0 }
    this.#lanes.set(lane, state)
    return state
  }

  #sweep(): void {
    for (const version of this.#replaced) if (!this.isHeld(version)) this.#replaced.delete(version)
    for (const [lane, { held }] of this.#lanes) {
      if (held.count > 0 || held.loading !== undefined || this.#isNeeded(lane)) continue
      this.#lanes.delete(lane)
      this.#aside.delete(lane)
      this.#parts.shared.leave(lane)
    }
  }

  #isNeeded(lane: Lane): boolean {
    return this.#serving.some(({ lanes, spare }) => spare === lane || lanes.includes(lane))
  }
}
