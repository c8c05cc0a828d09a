/**
 * The models of one step in all its lanes, and which lane loads which. A handler without mappings has one model, in its lanes
 * before the first record. One with mappings has a model for each, loaded when rows for it wait.
 *
 * M1. A model that is loaded on demand is loaded only for rows that wait: one whose keys never occur is never loaded.
 * M2. A lane loads one model at a time, and gets no batch of this step until that has ended.
 * M3. No rows wait for a load while an idle lane holds their model; a further copy is loaded only for a full batch, and never
 *     more than `copies`.
 * M4. A lane that must let a model go to load another one stays with those that it holds for as long as it has batches for
 *     them, but not longer than four times what its last load took (STAY_LEAST_MS to STAY_MOST_MS): then the rows that wait
 *     longest have their turn. So nothing starves, and a lane that has work spends at most a fifth of its time on loads.
 * M5. A load that fails is remembered for REMEMBERED_MS in its lane, and not tried again there. While no lane can load a model,
 *     its rows are refused, those that wait and those that come.
 * M6. An outage refuses nothing: the model rests, longer each time, its rows wait, and other models go on.
 *
 * How much a lane holds, and what leaves first: lane-models.ts. How models change while the step runs: model-swaps.ts.
 */
import { isRetriable, RunInferenceError } from '../errors.ts'
import type { Lane, LaneModel, LoadedModel, ModelSpec, Signature } from './executor.ts'
import { LoadRefusals, REMEMBERED_MS } from './load-refusals.ts'
import { ModelRests } from './model-rests.ts'
import type { ModelSetOptions, StepModel } from './model-set-options.ts'
import { ModelSwaps } from './model-swaps.ts'
import type { ModelSlot, ModelVersion } from './model-version.ts'
import type { ChangingModels, PreparedModel, PrepareOptions } from './prepared-model.ts'
import { type LaneState, StepLanes } from './step-lanes.ts'

const STAY_FACTOR = 4
const STAY_LEAST_MS = 50
const STAY_MOST_MS = 5_000

/**
 * What a lane does for the rows of a model: runs them, loads the model for them now, or only when it has nothing else to run,
 * or leaves them to other lanes and times.
 */
export type LaneAnswer = 'run' | 'load' | 'load-if-idle' | 'no'

export class ModelSet implements ChangingModels {
  /** True where models are loaded for the rows that wait. */
  readonly isOnDemand: boolean
  readonly #options: ModelSetOptions
  readonly #lanes: StepLanes
  readonly #swaps: ModelSwaps
  readonly #refusals: LoadRefusals
  readonly #rests: ModelRests

  constructor(options: ModelSetOptions) {
    this.#options = options
    const { step, models, limits, logger, clock, random, events } = options
    const isOnDemand = models[0]?.keys !== undefined
    this.isOnDemand = isOnDemand
    this.#refusals = new LoadRefusals(clock)
    this.#rests = new ModelRests(clock, random, () => events.changed())
    const versions = models.map(({ spec, lanes, copies }, cohort): ModelVersion => {
      return { cohort, spec, lanes, copies, spare: undefined, spareUses: 0, isAside: false, isReplaced: false }
    })
    this.#lanes = new StepLanes(versions, {
      ...{ limits, logger, shared: options.lanes },
      isWanted: version => events.isWanted(version),
      onEvicted: ({ cohort }, lane, count) => events.evicted(cohort, lane, count),
      onLeft: (_version, lane, count) => events.left(lane, count),
    })
    this.#swaps = new ModelSwaps({
      ...{ step, clock, logger, isOnDemand, lanes: this.#lanes, shared: options.lanes, cohorts: models.length },
      onLoaded: events.loaded,
      onSwitched: cohorts => this.#hasSwitched(cohorts),
      onEnded: events.swapEnded,
    })
  }

  /** Loads what must be there before the first record. Rejects as `Lane.load`. */
  async open(): Promise<void> {
    if (this.isOnDemand) return
    const { models, events } = this.#options
    const open = async (_: StepModel, cohort: number) => {
      const version = this.#lanes.versionOf(cohort)!
      const { lanes } = version
      const loaded = await Promise.all(lanes.map(lane => this.#lanes.stateOf(lane).held.load(version)))
      for (const [i, model] of loaded.entries()) events.loaded(cohort, lanes[i]!, model.loaded, 1)
    }
    await Promise.all(models.map(open))
  }

  /** Lanes that run models of the step, those whose model is being replaced too. */
  get lanes(): Iterable<Lane> {
    return this.#lanes.lanes
  }

  /** True while lanes differ in what they run: then `answer` is to be asked for each. */
  get differ(): boolean {
    return this.isOnDemand || this.#lanes.areChanging || this.#swaps.candidateOf(0)?.isAside === false
  }

  /** False while it loads a model (M2), and for a lane that is not among `lanes`. */
  takesBatches(lane: Lane): boolean {
    const state = this.#lanes.find(lane)
    return state !== undefined && state.held.loading === undefined
  }

  modelIn(lane: Lane, cohort: number): LaneModel | undefined {
    return this.#lanes.modelIn(lane, cohort)
  }

  /** The model that ran last in a lane, or was loaded last; undefined where it holds none. */
  lastUsedIn(lane: Lane): LaneModel | undefined {
    return [...(this.#lanes.find(lane)?.held.models() ?? [])].at(-1)
  }

  /** What all lanes hold now; not what was replaced. */
  loaded(): Iterable<LaneModel> {
    return this.#lanes.loaded()
  }

  /** A slot for a batch; undefined when the lane's places are taken. `begunOn`: of a batch that is tried again. */
  acquire(lane: Lane, cohort: number, begunOn?: ModelVersion): ModelSlot | undefined {
    return this.#lanes.acquire(lane, cohort, begunOn)
  }

  /** The same as `answer` for a batch that is tried again: it ends on the version that it began on, while that is well. */
  answerAgain(lane: Lane, cohort: number, begunOn: ModelVersion | undefined, nowMs: number): LaneAnswer {
    if (begunOn === undefined || !this.#lanes.canEnd(begunOn)) return this.answer(lane, cohort, true, nowMs)
    return lane.trouble === undefined && this.#lanes.find(lane)?.held.stillHolds(begunOn) ? 'run' : 'no'
  }

  /** Batches that waited for their next try are gone: what they began on may leave. */
  letGo(): void {
    this.#lanes.letGo()
  }

  prepare(cohort: number, spec: ModelSpec, expected: Signature, options: PrepareOptions): Promise<PreparedModel> {
    return this.#swaps.prepare(cohort, spec, expected, options)
  }

  hasCandidate(cohort: number): boolean {
    return this.#swaps.hasCandidate(cohort)
  }

  admit(cohort: number): void {
    this.#swaps.admit(cohort)
  }

  promote(cohort: number): void {
    this.#swaps.promote(cohort)
  }

  candidateLanes(cohort: number): readonly Lane[] {
    return this.#swaps.candidateLanes(cohort)
  }

  dropCandidate(cohort: number): void {
    this.#swaps.dropCandidate(cohort)
  }

  specOf(cohort: number): ModelSpec | undefined {
    return this.#swaps.specOf(cohort)
  }

  /** `isFull`: rows for a full batch wait. */
  answer(lane: Lane, cohort: number, isFull: boolean, nowMs: number): LaneAnswer {
    const { held, staysUntilMs } = this.#lanes.stateOf(lane)
    const version = this.#lanes.versionOf(cohort)!
    const { lanes, copies } = version
    if (this.#rests.isResting(cohort, nowMs)) return 'no'
    // Lanes in trouble are left alone while others are well; where none is, the first one shows when it is back.
    if (lane.trouble !== undefined && (lane !== lanes[0] || lanes.some(isWell))) return 'no'
    if (held.holds(version)) return 'run'
    if (!this.isOnDemand) return 'no'
    if (!lanes.includes(lane) || this.#refusals.isRefusedBy(lane, cohort, nowMs)) return 'no'
    let holders = 0
    for (const other of lanes) {
      if (!isWell(other)) continue
      const there = this.#lanes.stateOf(other).held
      const holds = there.holds(version)
      if (holds && other.occupied === 0 && there.loading === undefined) return 'no'
      if (holds || there.loading === version) holders++
    }
    if (holders >= copies || (holders > 0 && !isFull)) return 'no'
    if (held.hasRoomFor(version) || nowMs >= staysUntilMs) return 'load'
    return holders > 0 ? 'no' : 'load-if-idle'
  }

  /** Begins to load a model that `answer` asks for; `changed` tells when it has ended, whichever way. */
  load(lane: Lane, cohort: number): void {
    const { clock, events } = this.#options
    const state = this.#lanes.stateOf(lane)
    const version = this.#lanes.versionOf(cohort)!
    const startedMs = clock.now()
    const hasLoaded = ({ loaded }: LaneModel) => {
      const stayMs = STAY_FACTOR * (clock.now() - startedMs)
      state.staysUntilMs = clock.now() + Math.min(STAY_MOST_MS, Math.max(STAY_LEAST_MS, stayMs))
      this.#hasLoaded(lane, version, loaded, state)
    }
    const hasFailed = (error: unknown) => this.#hasFailed(lane, version, error)
    state.held.load(version).then(hasLoaded, hasFailed).catch(events.fatal)
  }

  /** Why rows of this cohort cannot run now nor soon; undefined: they can, or will. */
  refusalOf(cohort: number): RunInferenceError | undefined {
    return this.#refusals.reasonFor(cohort)
  }

  /** A batch met an outage: its model rests (M6). False: the whole step should, since no other model could go on. */
  rest(cohort: number, error: RunInferenceError): boolean {
    if (!this.isOnDemand || (error.code === 'LANE_LOST' && ![...this.lanes].some(isWell))) return false
    this.#rest(cohort, error)
    return true
  }

  /** A batch of this model has run, or nothing waits for it any more. */
  outageOver(cohort: number): void {
    if (this.#rests.forget(cohort)) this.#options.events.recovered(this.#nameOf(cohort))
  }

  /** Cohorts whose model met an outage, has rested, and is to be tried again. */
  rested(nowMs: number): Iterable<number> {
    return this.#rests.rested(nowMs)
  }

  /** Stops the timers; what is being loaded ends by itself. */
  close(): void {
    this.#rests.close()
    this.#swaps.close()
  }

  #hasSwitched(cohorts: readonly number[]): void {
    const { events } = this.#options
    for (const cohort of cohorts) {
      this.#refusals.forgetAll(cohort)
      this.outageOver(cohort)
      events.switched(cohort)
    }
    events.changed()
  }

  #hasLoaded(lane: Lane, version: ModelVersion, loaded: LoadedModel, { held }: LaneState): void {
    const { events, limits, logger, step } = this.#options
    const { modelId, sizeBytes } = loaded
    const { maxBytesPerWorker = Number.POSITIVE_INFINITY } = limits
    if (sizeBytes > maxBytesPerWorker) {
      const facts = { step, lane: lane.id, modelId, sizeBytes, maxBytesPerWorker }
      logger.warn(facts, 'a model is larger than maxBytesPerWorker: its lane holds it alone')
    }
    if (!version.isReplaced) {
      this.#refusals.forget(lane, version.cohort)
      this.outageOver(version.cohort)
    }
    events.loaded(version.cohort, lane, loaded, held.count)
    if (version.isReplaced) this.#lanes.leave(lane, version)
    else this.#swaps.hasLoaded(version)
    events.changed()
  }

  #hasFailed(lane: Lane, version: ModelVersion, error: unknown): void {
    const { events, logger, step } = this.#options
    const why = RunInferenceError.from(error, 'BUG', `loading a model of step ${step}`)
    // What is closed is being stopped.
    if (why.code === 'CLOSED') return
    if (why.code === 'BUG') throw why
    // Nobody's rows wait for it any more; the version that replaced it may be loaded here.
    if (version.isReplaced) {
      this.#lanes.letGo()
      events.changed()
      return
    }
    const { cohort } = version
    const model = this.#nameOf(cohort)
    const facts = { lane: lane.id, model, reason: why.message }
    if (isRetriable(why)) {
      logger.warn(facts, 'a model could not be loaded: its rows wait, and it is tried again')
      this.#rest(cohort, why)
    } else {
      logger.error({ ...facts, againAfterMs: REMEMBERED_MS }, 'a model cannot be loaded')
      const text = `${model} cannot be loaded, and is tried again after ${REMEMBERED_MS} ms: ${why.message}`
      const reason = new RunInferenceError('MODEL_LOAD_FAILED', text, { cause: why, errorTypes: why.errorTypes })
      // Rows may wait for a lane that is in trouble now.
      this.#rests.wakeAfter(REMEMBERED_MS)
      const well = version.lanes.filter(isWell)
      const isRefused = this.#refusals.add(lane, cohort, reason, version.spare ? [...well, version.spare] : well)
      if (isRefused) events.refused(cohort, reason)
    }
    events.changed()
  }

  #rest(cohort: number, error: RunInferenceError): void {
    this.#rests.add(cohort)
    this.#options.events.outage(this.#nameOf(cohort), error)
  }

  #nameOf(cohort: number): string {
    const { models, step } = this.#options
    const { keys = [] } = models[cohort % models.length]!
    const { spec } = this.#lanes.versionOf(cohort)!
    const [first, ...others] = keys.map(String)
    const ofKeys = others.length === 0 ? `key ${first}` : `keys ${first} and ${others.length} more`
    return `model ${spec.uri} of ${ofKeys} in step ${step}`
  }
}

const isWell = ({ trouble }: Lane) => trouble === undefined
