/**
 * One slot in one instance: which model serves, and what is done about the newest record of the metadata topic.
 *
 * L1. What serves goes on serving, under its own label, until another model is ready: nothing that fails, hangs or is cancelled
 *     changes it.
 * L2. The newest record wins. The load of an earlier one is cancelled, and what it still brings is discarded.
 * L3. Every model that was prepared ends by one `serve` or one `discard`.
 * L4. What serves is not loaded again when it is asked for: going back while another one loads costs nothing.
 * L5. A record whose model fails is not tried again; the next record is, also of the same model. An outage is tried again, with
 *     growing pauses, until it is over or another record comes.
 * L6. Where nothing serves yet, the first that loads does: what is published, what was stable before it, newest first, the
 *     handler's own. An outage of what is published is waited for. What failed is told all the same. Where nothing loads for a
 *     reason that is no model's (a bug of ours), no publication would help, and that is told as the end.
 * L7. A tombstone asks for the handler's own model. Where the handler has none, what serves stays.
 * L8. A model that is loaded already, since it was on trial, takes over at once.
 * L9. What is lost while it serves is loaded again like in an outage (L5), and given up when it was lost MAX_LOST times.
 */
import { isRetriable, RunInferenceError } from '../errors.ts'
import { type Clock, sleep } from '../ops/clock.ts'
import { NO_RECORD, type SlotTarget } from './slot-target.ts'
import type { ModelStatus, RefreshState } from './status-record.ts'
import { isSameModel, type ModelMetadata, OWN_MODEL } from './step-models.ts'

const FIRST_RETRY_MS = 500
const MAX_RETRY_MS = 30_000
/** A worker that ends while it loads may have met an accident; again and again it is the model. */
const MAX_LOST = 3

/** A model that is loaded and warm, and serves nothing yet. */
export interface PreparedVersion {
  /** What predictions will be labelled with. */
  readonly modelId: string
  /** Undefined where nothing was hashed. */
  readonly sha256?: string
  /**
   * Takes over between two batches. Returns the source positions at that moment, by `topic/partition`; undefined: the lanes were
   * opened meanwhile with what served before, and it has to be prepared again, for them.
   */
  serve(): Readonly<Record<string, number>> | undefined
  discard(): void
}

export interface LiveSlotParts {
  /** False: the handler names no model. */
  readonly hasOwn: boolean
  /** Fetches, loads and warms a model; '' = the handler's own. Rejects CLOSED when the signal comes. */
  readonly prepare: (model: ModelMetadata, signal: AbortSignal) => Promise<PreparedVersion>
  /** The model if it is loaded and warm by now. */
  readonly loaded?: (model: ModelMetadata) => PreparedVersion | undefined
  readonly clock: Clock
  readonly random: () => number
  /** The status is another one. */
  readonly onChange: () => void
  /** A model cannot be used: the published one, or one that was to take its place. */
  readonly onFailed: (model: ModelMetadata, error: RunInferenceError) => void
  readonly onOutage: (error: RunInferenceError) => void
  readonly onRecovered: () => void
  /** Nothing serves, and nothing that is published can mend it. */
  readonly onHopeless: (error: RunInferenceError) => void
}

interface Serving extends Pick<PreparedVersion, 'modelId' | 'sha256'> {
  readonly model: ModelMetadata
  readonly positions: Readonly<Record<string, number>>
}

/** Why a model does not serve; `closed`: nobody waits for it any more. */
type Failure = RunInferenceError | 'closed'

export class LiveSlot {
  readonly #parts: LiveSlotParts
  #target: SlotTarget = { revision: 0, metadataOffset: NO_RECORD, wanted: OWN_MODEL, instead: [] }
  #serving: Serving | undefined
  #state: RefreshState = 'loading'
  #reason: string | undefined
  #since: number
  #work: AbortController | undefined
  #isOut = false
  /** How often what the record asks for was lost. */
  #losses = 0

  constructor(parts: LiveSlotParts) {
    this.#parts = parts
    this.#since = parts.clock.wallTime()
  }

  /** What serves, as it was published; undefined: nothing yet. */
  get serving(): ModelMetadata | undefined {
    return this.#serving?.model
  }

  /** Revision of the newest record, and whether its model serves. */
  get published(): { readonly revision: number; readonly isCurrent: boolean } {
    return { revision: this.#target.revision, isCurrent: this.#state === 'current' }
  }

  status(): ModelStatus {
    const { revision, metadataOffset } = this.#target
    const { modelId, sha256, positions = {} } = this.#serving ?? {}
    return {
      ...{ revision, metadataOffset, state: this.#state },
      ...(this.#reason === undefined ? {} : { reason: this.#reason }),
      ...(modelId === undefined ? {} : { modelId }),
      ...(sha256 === undefined ? {} : { sha256 }),
      ...{ since: new Date(this.#since).toISOString(), positions },
    }
  }

  /** The newest record. */
  update(target: SlotTarget): void {
    this.#target = target
    this.#losses = 0
    this.#start(signal => this.#pursue(target, signal))
  }

  /** What serves cannot work: it was taken out of service (L9). */
  lost(error: RunInferenceError): void {
    const { wanted } = this.#target
    this.#serving = undefined
    const again = async (signal: AbortSignal) => {
      await this.#outage(error, this.#losses - 1, signal)
      if (!signal.aborted) await this.#pursue(this.#target, signal)
    }
    if (++this.#losses < MAX_LOST) this.#start(again)
    else this.gaveUp(asUnusable(wanted, error, 'was lost while it served'))
  }

  /** What serves was taken out of service, and is not to be tried again before another record comes. */
  gaveUp(error: RunInferenceError): void {
    this.close()
    this.#serving = undefined
    this.#failed(this.#target.wanted, error)
  }

  /** Nothing is wanted any more, and what served was taken out of service. */
  end(): void {
    this.close()
    this.#serving = undefined
    if (this.#isOut) this.#parts.onRecovered()
    this.#isOut = false
  }

  /** Nothing is loaded any more; what serves is left alone. */
  close(): void {
    this.#work?.abort()
  }

  #start(act: (signal: AbortSignal) => Promise<void>): void {
    this.close()
    const work = new AbortController()
    this.#work = work
    // A bug of ours, in what was given to it: it is told as any other reason, and the slot goes on.
    act(work.signal).catch((error: unknown) => this.#failed(this.#target.wanted, error))
  }

  async #pursue({ wanted, instead }: SlotTarget, signal: AbortSignal): Promise<void> {
    if (this.#isServing(wanted)) return this.#settle('current')
    const loaded = this.#parts.loaded?.(wanted)
    if (loaded && this.#serve(wanted, loaded)) return this.#settle('current')
    this.#tell('loading')
    const reasons: RunInferenceError[] = []
    let isOutage = false
    let hopeless: RunInferenceError | undefined
    for (let pauses = 0; ; pauses++) {
      const candidates = this.#serving ? [wanted] : [wanted, ...instead]
      for (const model of reasons.length > 0 ? candidates.slice(1) : candidates) {
        const failure = await this.#takeUp(model, signal, model === wanted)
        if (signal.aborted || failure === 'closed') return
        if (failure === undefined) return this.#settle(model === wanted ? 'current' : 'failed', reasons[0])
        isOutage ||= isRetriable(failure)
        if (!isOfModel(failure)) hopeless ??= failure
        if (model === wanted) reasons.push(failure)
        if (model === wanted || !isRetriable(failure)) this.#parts.onFailed(model, failure)
      }
      // Where nothing was published, nothing has failed: it waits.
      this.#settle(this.#target.metadataOffset === NO_RECORD && !this.#serving ? 'loading' : 'failed', reasons[0])
      if (this.#serving) return
      if (hopeless) return this.#parts.onHopeless(hopeless)
      if (!isOutage) return
      await this.#pause(pauses, signal)
      if (signal.aborted) return
    }
  }

  /** Prepares a model and has it serve; the reason for which that cannot be, or undefined. */
  async #takeUp(model: ModelMetadata, signal: AbortSignal, isPatient: boolean): Promise<Failure | undefined> {
    for (;;) {
      const prepared = await this.#prepare(model, signal, isPatient)
      if (prepared === 'closed' || prepared instanceof RunInferenceError) return prepared
      if (signal.aborted) {
        prepared.discard()
        return 'closed'
      }
      if (this.#serve(model, prepared)) return undefined
    }
  }

  /** False: it has to be prepared again. */
  #serve(model: ModelMetadata, prepared: PreparedVersion): boolean {
    const positions = prepared.serve()
    if (positions === undefined) return false
    const { modelId, sha256 } = prepared
    this.#serving = { model, modelId, positions, ...(sha256 === undefined ? {} : { sha256 }) }
    return true
  }

  /** The model, or why it cannot be had. An outage is waited for where `isPatient`. */
  async #prepare(model: ModelMetadata, signal: AbortSignal, isPatient: boolean): Promise<PreparedVersion | Failure> {
    if (isOwn(model) && !this.#parts.hasOwn) return noOwnModel(this.#serving !== undefined)
    let lost = 0
    for (let pauses = 0; ; pauses++) {
      try {
        return await this.#parts.prepare(model, signal)
      } catch (error) {
        if (signal.aborted) return 'closed'
        const failure = RunInferenceError.from(error, 'BUG', `loading ${model.modelId}`)
        if (failure.code === 'CLOSED') return 'closed'
        if (failure.code === 'LANE_LOST' && ++lost >= MAX_LOST)
          return asUnusable(model, failure, 'ended the worker that loaded it')
        if (!failure.retriable || !isPatient) return failure
        await this.#outage(failure, pauses, signal)
        if (signal.aborted) return 'closed'
      }
    }
  }

  async #outage(error: RunInferenceError, pauses: number, signal: AbortSignal): Promise<void> {
    this.#isOut = true
    this.#parts.onOutage(error)
    this.#tell('loading', error)
    await this.#pause(pauses, signal)
  }

  #pause(pauses: number, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#parts
    return sleep(clock, Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** pauses) * (0.5 + random() / 2), signal)
  }

  #isServing(model: ModelMetadata): boolean {
    return this.#serving !== undefined && isSameModel(this.#serving.model, model)
  }

  #failed(model: ModelMetadata, error: unknown): void {
    const failure = RunInferenceError.from(error, 'BUG', `the model ${model.modelId}`)
    this.#parts.onFailed(model, failure)
    this.#settle('failed', failure)
    if (!this.#serving) this.#parts.onHopeless(failure)
  }

  /** The record needs no more work, for now. */
  #settle(state: RefreshState, error?: RunInferenceError): void {
    if (this.#isOut) this.#parts.onRecovered()
    this.#isOut = false
    this.#tell(state, error)
  }

  #tell(state: RefreshState, error?: RunInferenceError): void {
    if (this.#state !== state) this.#since = this.#parts.clock.wallTime()
    this.#state = state
    this.#reason = error?.message
    this.#parts.onChange()
  }
}

function isOwn({ modelId }: ModelMetadata): boolean {
  return modelId === ''
}

/** Another model, or time, may mend it. */
function isOfModel({ code, retriable, stage }: RunInferenceError): boolean {
  return retriable || code === 'MODEL_UNUSABLE' || stage !== 'application'
}

function noOwnModel(serves: boolean): RunInferenceError {
  const what = serves
    ? 'the handler names no model of its own to go back to, so the last one goes on serving'
    : 'the handler names no model, and none is published that can be used'
  return new RunInferenceError('MODEL_UNUSABLE', `${what}. Publish one: kri models publish`)
}

function asUnusable({ modelId }: ModelMetadata, cause: RunInferenceError, did: string): RunInferenceError {
  const what = `${modelId} ${did}, ${MAX_LOST} times: ${cause.message}`
  return new RunInferenceError('MODEL_UNUSABLE', `${what}. Publish a model that loads on this machine`, { cause })
}
