/**
 * The models of an instance, as they are published: reads the metadata topic to its end, has something serve in every slot, then
 * follows. What happens in one slot is in `live-slot.ts`.
 *
 * 1. `open` resolves when something serves in every slot; until then the instance is no member of its group, so nothing is dropped. What is
 *    published meanwhile counts.
 * 2. A record of one slot never touches another slot.
 * 3. Records that no slot has a use for, or that cannot be read, change no model, and are told: in the log, in the status, in health.
 * 4. An outage of the topic changes no model.
 */
import { type ErrorCode, RunInferenceError } from '../errors.ts'
import type { KafkaPort } from '../kafka/port.ts'
import type { Clock } from '../ops/clock.ts'
import type { Logger } from '../ops/logger.ts'
import { LiveSlot, type PreparedVersion } from './live-slot.ts'
import { LiveTrial, type LiveTrialParts } from './live-trial.ts'
import { followMetadata, type MetadataFollower } from './metadata-follower.ts'
import { readMetadata } from './metadata-log.ts'
import type { MetadataProblem } from './metadata-table.ts'
import type { Verdict } from './rollout-judge.ts'
import { stableTarget } from './slot-target.ts'
import type { ModelStatus, SlotStatus } from './status-record.ts'
import type { ModelMetadata, StepModels } from './step-models.ts'
import type { StepTrials } from './step-trials.ts'
import type { TopologySlot } from './topology-slots.ts'

/** How a slot gets its models. */
export interface SlotModels {
  readonly slot: TopologySlot
  /** False: the handler names no model. */
  readonly hasOwn: boolean
  /** As `LiveSlotParts.prepare`. */
  prepare(model: ModelMetadata, signal: AbortSignal): Promise<PreparedVersion>
  /** The same for a model on trial; waits until the lanes of the step are open. */
  prepareCandidate(model: ModelMetadata, signal: AbortSignal): Promise<PreparedVersion>
  /** The model on trial becomes the stable one: as `PreparedVersion.serve`. */
  promote(model: ModelMetadata, modelId: string): Readonly<Record<string, number>>
  /** The model on trial is unloaded. */
  dropCandidate(): void
  /** How long the model on trial has been at the call that it runs now, where no worker of it can be ended; 0: at none. */
  candidateBusyMs(): number
  /** Where its lanes are: a cohort of the step's models. */
  readonly candidateCohort: number
  /** Undefined until the lanes of the step are open. */
  readonly trials: StepTrials | undefined
}

export interface LiveModelMetrics {
  /** The newest revision that was read of a slot (0: none), and whether its model serves. */
  modelRevision(step: string, cohort: number, revision: number, isCurrent: boolean): void
  /** A model that was published cannot be used. */
  modelRefreshFailed(step: string, cohort: number, code: ErrorCode): void
  /** The candidate of a cohort has this share of the keys here; 0: it has none, any more. */
  modelTrial(step: string, cohort: number, percent: number): void
  /** A candidate was given up: by the rule of its trial, or for an error that would have ended the application. */
  modelTrialGivenUp(step: string, cohort: number, about: Verdict['about'] | 'error'): void
}

export interface LiveModelsParts {
  readonly port: Pick<KafkaPort, 'scan'>
  readonly topic: string
  /** In the order of the topology. */
  readonly slots: readonly SlotModels[]
  /** Why a record under this key means nothing here; undefined: it is about another part of the topology. */
  readonly whyIgnored: (key: string) => string | undefined
  /** As of `LiveTrialParts`. */
  readonly trialWindowMs: number
  readonly stuckMs: number
  readonly endTrial: LiveTrialParts['abort']
  readonly clock: Clock
  readonly random: () => number
  readonly logger: Logger
  readonly metrics: LiveModelMetrics
  readonly onOutage: (what: string, error: unknown) => void
  readonly onRecovered: (what: string) => void
  /** Something of `slots` or `ignored` is another one. */
  readonly onChange: () => void
}

const TOPIC = 'model metadata'

export class LiveModels {
  readonly #parts: LiveModelsParts
  readonly #slots: ReadonlyMap<string, LiveSlot>
  /** Of the same slots. */
  readonly #trials: ReadonlyMap<string, LiveTrial>
  readonly #ignored = new Map<string, string>()
  /** Slots that have no model yet, and have said so. */
  readonly #waiting = new Set<string>()
  readonly #open = Promise.withResolvers<void>()
  #trialsLoaded: PromiseWithResolvers<void> | undefined
  #follower: MetadataFollower | undefined
  #hasJoined = false
  #isClosed = false

  constructor(parts: LiveModelsParts) {
    this.#parts = parts
    this.#trials = new Map(parts.slots.map(models => [models.slot.text, this.#liveTrial(models)]))
    this.#slots = new Map(parts.slots.map(models => [models.slot.text, this.#liveSlot(models)]))
    this.#open.promise.catch(() => {})
  }

  /**
   * Rejects as `readMetadata`, and may be called again then; with what no publication mends (a bug); CLOSED when it is closed, or
   * the signal comes, before: nothing changes any more then.
   */
  async open(signal: AbortSignal): Promise<void> {
    const { clock, port, random, topic } = this.#parts
    if (this.#follower) return this.#open.promise
    signal.addEventListener('abort', () => this.close(), { once: true })
    const snapshot = await readMetadata(port, topic, signal)
    if (this.#isClosed) return this.#open.promise
    for (const text of this.#slots.keys()) {
      const published = snapshot.slots.get(text)
      this.#takeUp(text, published?.state, published?.offset ?? -1)
    }
    for (const key of snapshot.slots.keys()) if (!this.#slots.has(key)) this.#ignore(key)
    for (const problem of snapshot.problems) this.#problem(problem)
    this.#follower = followMetadata({
      ...{ port, topic, clock, random, from: snapshot },
      onChange: ({ key, state, offset }) => this.#update(key, state, offset),
      onProblem: problem => this.#problem(problem),
      onOutage: error => this.#parts.onOutage(TOPIC, error),
      onRecovered: () => this.#parts.onRecovered(TOPIC),
    })
    await this.#open.promise
  }

  /** The instance is a member of its groups: what is loaded is at work. */
  joined(): void {
    this.#hasJoined = true
    this.#parts.onChange()
  }

  /** What instances tell: of models per key, those that something was published for. */
  slots(): readonly SlotStatus[] {
    return this.#parts.slots.flatMap(({ slot: { keys, text } }): SlotStatus[] => {
      const status = this.#slots.get(text)!.status()
      if (keys !== undefined && status.metadataOffset < 0) return []
      const candidate = this.#trials.get(text)!.status()
      return [{ slot: text, ...this.#told(status), ...(candidate ? { candidate: this.#told(candidate) } : {}) }]
    })
  }

  /** Resolves when no model on trial is on its way, also since one has failed, or waits for the end of an outage. */
  trialsLoaded(): Promise<void> {
    this.#trialsLoaded ??= Promise.withResolvers()
    this.#lookAtTrials()
    return this.#trialsLoaded.promise
  }

  /** Records that mean nothing here, by their keys, with the reason. */
  ignored(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#ignored)
  }

  /** Follows no more, and gives up what is being loaded. What serves is left alone. */
  close(): void {
    this.#isClosed = true
    this.#follower?.stop()
    for (const slot of [...this.#slots.values(), ...this.#trials.values()]) slot.close()
    this.#lookAtTrials()
    this.#open.reject(new RunInferenceError('CLOSED', 'the instance was stopped before it had a model for every step'))
  }

  #liveSlot(models: SlotModels): LiveSlot {
    const { clock, logger, metrics, random, onOutage, onRecovered } = this.#parts
    const { slot, hasOwn } = models
    const { cohort, step, text } = slot
    const live: LiveSlot = new LiveSlot({
      ...{ clock, random, hasOwn },
      prepare: (model, signal) => models.prepare(model, signal),
      loaded: model => this.#trials.get(text)!.loaded(model),
      onChange: () => this.#changed(slot, live),
      onFailed: ({ modelId }, { code, message }) => {
        metrics.modelRefreshFailed(step, cohort, code)
        const serves = live.status().modelId
        const facts = { slot: text, modelId, code, reason: message, serves }
        logger.error(facts, 'a published model cannot be used: what serves goes on, until something else is published')
      },
      onOutage: error => onOutage(nameOf(text), error),
      onRecovered: () => onRecovered(nameOf(text)),
      onHopeless: error => this.#open.reject(error),
    })
    return live
  }

  #liveTrial(models: SlotModels): LiveTrial {
    const { trialWindowMs: windowMs, endTrial: abort, onChange, onOutage, onRecovered } = this.#parts
    const what = `trial of ${models.slot.text}`
    return new LiveTrial({
      ...{ ...this.#parts, models, windowMs, abort },
      onChange: () => {
        this.#lookAtTrials()
        onChange()
      },
      onOutage: error => onOutage(what, error),
      onRecovered: () => onRecovered(what),
    })
  }

  #lookAtTrials(): void {
    const isOver = this.#isClosed || [...this.#trials.values()].every(({ isSettled }) => isSettled)
    if (isOver) this.#trialsLoaded?.resolve()
  }

  #changed({ cohort, step, text }: TopologySlot, live: LiveSlot): void {
    const { metrics, onChange, onOutage, onRecovered } = this.#parts
    const { revision, state, reason } = live.status()
    metrics.modelRevision(step, cohort, revision, state === 'current')
    if (live.serving !== undefined) {
      if (this.#waiting.delete(text)) onRecovered(nameOf(text))
      if ([...this.#slots.values()].every(({ serving }) => serving !== undefined)) this.#open.resolve()
    } else if (reason !== undefined) {
      this.#waiting.add(text)
      onOutage(nameOf(text), reason)
    }
    onChange()
  }

  #update(key: string, state: StepModels | undefined, offset: number): void {
    if (this.#ignored.delete(key)) this.#heard(key)
    if (this.#slots.has(key)) this.#takeUp(key, state, offset)
    else if (state !== undefined) this.#ignore(key)
  }

  /** The stable model first: it may be what was on trial. */
  #takeUp(slot: string, state: StepModels | undefined, offset: number): void {
    this.#slots.get(slot)!.update(stableTarget(state, offset))
    this.#trials.get(slot)!.update(state, offset)
  }

  /** What serves is at work when the instance has joined. */
  #told(status: ModelStatus): ModelStatus {
    return status.state === 'current' && !this.#hasJoined ? { ...status, state: 'ready' } : status
  }

  #problem({ key, error }: MetadataProblem): void {
    this.#ignore(key, error.message)
  }

  #ignore(key: string, reason = this.#parts.whyIgnored(key)): void {
    if (reason === undefined) return
    const { logger, onChange, onOutage } = this.#parts
    this.#ignored.set(key, reason)
    logger.warn({ slot: key, reason }, 'a record of the model-metadata topic is ignored: it changes no model here')
    onOutage(`${TOPIC} of ${key}`, reason)
    onChange()
  }

  #heard(key: string): void {
    this.#parts.onRecovered(`${TOPIC} of ${key}`)
    this.#parts.onChange()
  }
}

function nameOf(slot: string): string {
  return `model of ${slot}`
}
