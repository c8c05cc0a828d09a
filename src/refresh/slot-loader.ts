/**
 * Brings a model of a slot into lanes: fetched, checked, loaded and warm before anything serves it (I4).
 *
 * At the start there is no set of models yet, since the graph is compiled with what is loaded: a model is tried in a lane of its
 * own, and the set is opened with what was chosen. From then on the set prepares models in spare lanes.
 */
import { RunInferenceError } from '../errors.ts'
import type { ModelSpec, Signature } from '../models/executor.ts'
import type { ChangingModels, PreparedModel } from '../models/prepared-model.ts'
import type { SlotModels } from './live-models.ts'
import type { PreparedVersion } from './live-slot.ts'
import type { LoadTurns } from './load-turns.ts'
import type { ModelMetadata } from './step-models.ts'
import type { StepTrials } from './step-trials.ts'
import type { TopologySlot } from './topology-slots.ts'
import type { TriedModel } from './try-out.ts'

/** A model on this machine, whose size and checksum are what was published. */
export interface ModelFile {
  readonly path: string
  readonly sha256: string
  readonly sizeBytes: number
  /** Nobody reads it any more. */
  release(): void
}

/** Where models come from. `models/model-source.ts` is one. */
export interface ModelFiles {
  /** Rejects MODEL_UNUSABLE, MODEL_OUTAGE (retriable), or the signal's reason. */
  fetch(model: ModelMetadata, signal: AbortSignal): Promise<ModelFile>
}

export interface SlotLoaderParts {
  readonly slot: TopologySlot
  /** Models of the step's handler. */
  readonly cohorts: number
  readonly hasOwn: boolean
  readonly files: ModelFiles
  readonly turns: LoadTurns
  /** What is to be fetched for a model, if anything: a handler that a user wrote may know itself what to make of a model id. */
  readonly wantedFile: (model: ModelMetadata) => ModelMetadata | undefined
  /** What lanes load. */
  readonly specOf: (model: ModelMetadata, file: ModelFile | undefined) => ModelSpec
  /** Loads and warms it before any lane is open. Rejects as `ChangingModels.prepare`. */
  readonly tryOut: (spec: ModelSpec, signal: AbortSignal) => Promise<TriedModel>
  /** How long a load may take. */
  readonly timeoutMs: number
  /** Where reading of the sources stands, by `topic/partition`. */
  readonly positions: () => Readonly<Record<string, number>>
  /** This model serves from now on; `cohort`: of the slot, or of its candidate. */
  readonly onServed: (model: ModelMetadata, modelId: string, cohort: number) => void
}

interface Attached {
  readonly models: ChangingModels
  readonly expected: Signature
  readonly trials: StepTrials
}

export class SlotLoader implements SlotModels {
  readonly slot: TopologySlot
  readonly hasOwn: boolean
  readonly #parts: SlotLoaderParts
  readonly candidateCohort: number
  readonly #attached = Promise.withResolvers<Attached>()
  #opened: Attached | undefined
  #isOpening = true
  #chosen: ModelSpec | undefined
  /** The file of what serves: a lane whose worker is lost reads it again. */
  #file: ModelFile | undefined
  #candidateFile: ModelFile | undefined
  #tried: TriedModel | undefined

  constructor(parts: SlotLoaderParts) {
    this.#parts = parts
    this.slot = parts.slot
    this.hasOwn = parts.hasOwn
    this.candidateCohort = parts.slot.cohort + parts.cohorts
  }

  get trials(): StepTrials | undefined {
    return this.#opened?.trials
  }

  /** What the lanes are to be opened with; it is settled by this call. */
  chosen(): ModelSpec {
    this.#isOpening = false
    return this.#chosen!
  }

  /** The lanes are open: from now on they take what is prepared. */
  attach(models: ChangingModels, expected: Signature, trials: StepTrials): void {
    this.#opened = { models, expected, trials }
    this.#attached.resolve(this.#opened)
    this.#tried?.release()
    this.#tried = undefined
  }

  prepare(model: ModelMetadata, signal: AbortSignal): Promise<PreparedVersion> {
    return this.#parts.turns.take(signal, () => this.#prepare(model, signal, this.slot.cohort))
  }

  async prepareCandidate(model: ModelMetadata, signal: AbortSignal): Promise<PreparedVersion> {
    // Whoever has a turn meanwhile is what the lanes are to be opened with.
    await orAborted(this.#attached.promise, signal)
    return this.#parts.turns.take(signal, () => this.#prepare(model, signal, this.candidateCohort))
  }

  promote(model: ModelMetadata, modelId: string): Readonly<Record<string, number>> {
    const { cohort } = this.slot
    this.#parts.onServed(model, modelId, cohort)
    this.#opened!.models.promote(cohort)
    const file = this.#candidateFile
    this.#candidateFile = undefined
    return this.#served(file)
  }

  dropCandidate(): void {
    this.#opened!.models.dropCandidate(this.slot.cohort)
    this.#candidateFile?.release()
    this.#candidateFile = undefined
  }

  candidateBusyMs(): number {
    const lanes = this.#opened!.models.candidateLanes(this.slot.cohort)
    const threads = lanes.filter(({ isolation }) => isolation !== 'process')
    return Math.max(0, ...threads.map(lane => lane.busyMs()))
  }

  async #prepare(model: ModelMetadata, signal: AbortSignal, cohort: number): Promise<PreparedVersion> {
    const { wantedFile, files, specOf } = this.#parts
    const wanted = wantedFile(model)
    const file = wanted && (await files.fetch(wanted, signal))
    try {
      const spec = specOf(model, file)
      if (this.#isOpening) return await this.#tryOut(model, spec, file, signal)
      const { models, expected } = await orAborted(this.#attached.promise, signal)
      const { timeoutMs } = this.#parts
      const isAside = cohort === this.candidateCohort
      const prepared = await models.prepare(cohort, spec, expected, { timeoutMs, signal, isAside })
      return this.#swap(model, prepared, file, cohort)
    } catch (error) {
      file?.release()
      throw error
    }
  }

  async #tryOut(model: ModelMetadata, spec: ModelSpec, file: ModelFile | undefined, signal: AbortSignal) {
    // The handler's own model is opened as if nothing could be published: what is wrong with it ends the instance.
    const tried = model.modelId === '' ? undefined : await this.#parts.tryOut(spec, signal)
    // Models per key are loaded again when rows for them come.
    const isKept = this.slot.keys === undefined
    if (!isKept) tried?.release()
    const discard = () => {
      if (isKept) tried?.release()
      file?.release()
    }
    return {
      modelId: spec.uri,
      ...(tried?.sha256 ? { sha256: tried.sha256 } : {}),
      discard,
      serve: () => {
        if (!this.#isOpening) return void discard()
        this.#tried?.release()
        this.#tried = isKept ? tried : undefined
        this.#chosen = spec
        this.#parts.onServed(model, spec.uri, this.slot.cohort)
        return this.#served(file)
      },
    }
  }

  #swap(model: ModelMetadata, prepared: PreparedModel, file: ModelFile | undefined, cohort: number): PreparedVersion {
    const { modelId, sha256 } = prepared
    return {
      modelId,
      ...(sha256 === '' ? {} : { sha256 }),
      serve: () => {
        this.#parts.onServed(model, modelId, cohort)
        prepared.serve()
        if (cohort === this.slot.cohort) return this.#served(file)
        this.#candidateFile = file
        return this.#parts.positions()
      },
      discard() {
        prepared.discard()
        file?.release()
      },
    }
  }

  #served(file: ModelFile | undefined): Readonly<Record<string, number>> {
    // Lanes that drain have loaded it, and are not opened again with it.
    this.#file?.release()
    this.#file = file
    return this.#parts.positions()
  }
}

/** `why`: what makes it needed. */
export function noModelFiles(why: string): RunInferenceError {
  return new RunInferenceError(
    'SETTINGS_INVALID',
    `${why}, and nothing says from where it may come. Give startTopology modelFiles`,
  )
}

function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
