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
 * How much a lane holds, and what leaves first: lane-models.ts.
 */
import { isRetriable, RunInferenceError } from '../errors.ts'
import type { Clock } from '../ops/clock.ts'
import type { Logger } from '../ops/logger.ts'
import type { BatchSlot, Lane, LaneModel, LoadedModel, ModelSpec } from './executor.ts'
import { LaneModels } from './lane-models.ts'
import { LoadRefusals, REMEMBERED_MS } from './load-refusals.ts'
import type { ModelLimits } from './model-handler.ts'
import { ModelRests } from './model-rests.ts'

const STAY_FACTOR = 4
const STAY_LEAST_MS = 50
const STAY_MOST_MS = 5_000

/** One model of a step. */
export interface StepModel {
  readonly spec: ModelSpec
  /** Lanes that may load it; one that is loaded before the first record is loaded in all of them. */
  readonly lanes: readonly Lane[]
  /** How many of them may hold it at one time. */
  readonly copies: number
  /** Those of its mapping; undefined: it is loaded before the first record, and never leaves. */
  readonly keys: readonly unknown[] | undefined
}

export interface ModelSetEvents {
  /** `count`: the models that the lane holds now. */
  loaded(cohort: number, lane: Lane, model: LoadedModel, count: number): void
  evicted(cohort: number, lane: Lane, count: number): void
  /** Rows of this cohort that wait are dead letters, for this reason. */
  refused(cohort: number, reason: RunInferenceError): void
  outage(model: string, error: unknown): void
  recovered(model: string): void
  /** A lane may be able to do what it could not. */
  changed(): void
  fatal(error: unknown): void
}

export interface ModelSetOptions {
  readonly step: string
  /** By cohort. */
  readonly models: readonly StepModel[]
  readonly limits: ModelLimits
  readonly clock: Clock
  readonly random: () => number
  readonly logger: Logger
  readonly events: ModelSetEvents
}

/**
 * What a lane does for the rows of a model: runs them, loads the model for them now, or only when it has nothing else to run,
 * or leaves them to other lanes and times.
 */
export type LaneAnswer = 'run' | 'load' | 'load-if-idle' | 'no'

interface LaneState {
  readonly held: LaneModels
  /** Until then it keeps what it holds while it has work for that (M4). */
  staysUntilMs: number
}

export class ModelSet {
  /** True where models are loaded for the rows that wait. */
  readonly isOnDemand: boolean
  readonly #options: ModelSetOptions
  readonly #lanes: ReadonlyMap<Lane, LaneState>
  readonly #refusals: LoadRefusals
  readonly #rests: ModelRests

  constructor(options: ModelSetOptions) {
    this.#options = options
    const { models, limits, logger, clock, random, events } = options
    this.isOnDemand = models[0]?.keys !== undefined
    this.#refusals = new LoadRefusals(clock)
    this.#rests = new ModelRests(clock, random, () => events.changed())
    const sizes = new Map<number, number>()
    const stateOf = (lane: Lane): LaneState => {
      const onEvicted = (cohort: number, count: number) => events.evicted(cohort, lane, count)
      return { held: new LaneModels(lane, { limits, sizes, logger, onEvicted }), staysUntilMs: 0 }
    }
    const lanes = new Set(models.flatMap(model => model.lanes))
    this.#lanes = new Map([...lanes].map(lane => [lane, stateOf(lane)]))
  }

  /** Loads what must be there before the first record. Rejects as `Lane.load`. */
  async open(): Promise<void> {
    if (this.isOnDemand) return
    const { models, events } = this.#options
    const open = async ({ lanes, spec }: StepModel, cohort: number) => {
      const loaded = await Promise.all(lanes.map(lane => this.#lanes.get(lane)!.held.load(cohort, spec)))
      for (const [i, model] of loaded.entries()) events.loaded(cohort, lanes[i]!, model.loaded, 1)
    }
    await Promise.all(models.map(open))
  }

  /** Lanes that run models of the step, in the order of the executor. */
  get lanes(): Iterable<Lane> {
    return this.#lanes.keys()
  }

  /** False while it loads a model (M2), and for a lane that is not among `lanes`. */
  takesBatches(lane: Lane): boolean {
    const state = this.#lanes.get(lane)
    return state !== undefined && state.held.loading === undefined
  }

  modelIn(lane: Lane, cohort: number): LaneModel | undefined {
    return this.#lanes.get(lane)?.held.modelOf(cohort)
  }

  /** The model that ran last in a lane, or was loaded last; undefined where it holds none. */
  lastUsedIn(lane: Lane): LaneModel | undefined {
    return [...(this.#lanes.get(lane)?.held.models() ?? [])].at(-1)
  }

  /** What all lanes hold now. */
  *loaded(): Generator<LaneModel> {
    for (const { held } of this.#lanes.values()) yield* held.models()
  }

  /** A slot for a batch; undefined when the lane's places are taken. Call `released` after the slot was released. */
  acquire(lane: Lane, cohort: number): BatchSlot | undefined {
    return this.#lanes.get(lane)?.held.acquire(cohort)
  }

  released(lane: Lane, cohort: number): void {
    this.#lanes.get(lane)!.held.released(cohort)
  }

  /** `isFull`: rows for a full batch wait. */
  answer(lane: Lane, cohort: number, isFull: boolean, nowMs: number): LaneAnswer {
    const { held, staysUntilMs } = this.#lanes.get(lane)!
    const { lanes, copies } = this.#options.models[cohort]!
    if (this.#rests.isResting(cohort, nowMs)) return 'no'
    // Lanes in trouble are left alone while others are well; where none is, the first one shows when it is back.
    if (lane.trouble !== undefined && (lane !== lanes[0] || lanes.some(isWell))) return 'no'
    if (held.holds(cohort)) return 'run'
    if (!lanes.includes(lane) || this.#refusals.isRefusedBy(lane, cohort, nowMs)) return 'no'
    let holders = 0
    for (const other of lanes) {
      if (!isWell(other)) continue
      const there = this.#lanes.get(other)!.held
      const holds = there.holds(cohort)
      if (holds && other.occupied === 0 && there.loading === undefined) return 'no'
      if (holds || there.loading === cohort) holders++
    }
    if (holders >= copies || (holders > 0 && !isFull)) return 'no'
    if (held.hasRoomFor(cohort) || nowMs >= staysUntilMs) return 'load'
    return holders > 0 ? 'no' : 'load-if-idle'
  }

  /** Begins to load a model that `answer` asks for; `changed` tells when it has ended, whichever way. */
  load(lane: Lane, cohort: number): void {
    const { clock, events, models } = this.#options
    const state = this.#lanes.get(lane)!
    const startedMs = clock.now()
    state.held
      .load(cohort, models[cohort]!.spec)
      .then(
        ({ loaded }) => {
          const stayMs = STAY_FACTOR * (clock.now() - startedMs)
          state.staysUntilMs = clock.now() + Math.min(STAY_MOST_MS, Math.max(STAY_LEAST_MS, stayMs))
          this.#hasLoaded(lane, cohort, loaded)
        },
        (error: unknown) => this.#hasFailed(lane, cohort, error),
      )
      .catch(events.fatal)
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
  }

  #hasLoaded(lane: Lane, cohort: number, loaded: LoadedModel): void {
    const { events, limits, logger, step } = this.#options
    const { modelId, sizeBytes } = loaded
    const { maxBytesPerWorker = Number.POSITIVE_INFINITY } = limits
    if (sizeBytes > maxBytesPerWorker) {
      const facts = { step, lane: lane.id, modelId, sizeBytes, maxBytesPerWorker }
      logger.warn(facts, 'a model is larger than maxBytesPerWorker: its lane holds it alone')
    }
    this.#refusals.forget(lane, cohort)
    this.outageOver(cohort)
    events.loaded(cohort, lane, loaded, this.#lanes.get(lane)!.held.count)
    events.changed()
  }

  #hasFailed(lane: Lane, cohort: number, error: unknown): void {
    const { events, logger, models, step } = this.#options
    const why = RunInferenceError.from(error, 'BUG', `loading a model of step ${step}`)
    // What is closed is being stopped.
    if (why.code === 'CLOSED') return
    if (why.code === 'BUG') throw why
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
      const well = models[cohort]!.lanes.filter(isWell)
      if (this.#refusals.add(lane, cohort, reason, well)) events.refused(cohort, reason)
    }
    events.changed()
  }

  #rest(cohort: number, error: RunInferenceError): void {
    this.#rests.add(cohort)
    this.#options.events.outage(this.#nameOf(cohort), error)
  }

  #nameOf(cohort: number): string {
    const { spec, keys = [] } = this.#options.models[cohort]!
    const [first, ...others] = keys.map(String)
    const ofKeys = others.length === 0 ? `key ${first}` : `keys ${first} and ${others.length} more`
    return `model ${spec.uri} of ${ofKeys} in step ${this.#options.step}`
  }
}

function isWell({ trouble }: Lane): boolean {
  return trouble === undefined
}
