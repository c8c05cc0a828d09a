/**
 * A handler that a user wrote, at work in a lane. Nothing that it throws, returns or leaves out does more than fail the call
 * that it was made for:
 *
 * 1. A session exists only after its arguments were accepted, its model was loaded and its control batch ran (I4).
 * 2. Results are read to their end, counted, measured and packed before any of them leaves.
 * 3. What is thrown keeps class, text and stack, whatever it is: INFERENCE_FAILED, or MODEL_TRANSIENT where the handler says so.
 * 4. Trouble beside the results (counting bytes, unloading) is a warning.
 */
import { RunInferenceError } from '../errors.ts'
import type { CustomHandler, InferenceArgs } from './custom-handler.ts'
import type { CustomSpec, HandlerPlace, LoadedModel, LoadedTensor } from './executor.ts'
import { packResults, readResults, requireCount } from './handler-results.ts'
import type { LaneSession, RunRequest, RunResults } from './lane-session.ts'
import { readModelOf } from './model-file.ts'
import { unpack } from './packed-values.ts'
import type { SharedModels } from './shared-models.ts'

/** A handler with what its step gives to every call. */
export interface PlacedHandler {
  readonly handler: CustomHandler<never, unknown, never>
  readonly inferenceArgs: InferenceArgs | undefined
}

/** Finds the handler of a place. Throws or rejects MODEL_UNUSABLE. */
export type FindHandler = (place: HandlerPlace) => PlacedHandler | Promise<PlacedHandler>

/** What a lane gives to the sessions of handlers. */
export interface CustomParts {
  readonly now: () => number
  readonly find: FindHandler
  readonly models: SharedModels
  /** Goes out with the next reply. */
  readonly warn: (text: string) => void
}

const VALUE: LoadedTensor = { declared: '', name: '', dtype: 'value', shape: [] }

/** Rejects MODEL_UNUSABLE with what the handler cannot do. */
export async function openCustomSession(spec: CustomSpec, parts: CustomParts): Promise<LaneSession> {
  const startedAt = parts.now()
  if (!spec.place) throw new RunInferenceError('BUG', `${spec.name} was loaded without its place in a topology`)
  const session = new CustomSession(spec, await parts.find(spec.place), parts)
  await session.open()
  session.loaded = { ...session.loaded, loadMs: parts.now() - startedAt }
  return session
}

class CustomSession implements LaneSession {
  readonly #spec: CustomSpec
  /** Its types were checked where it met its stream. */
  readonly #handler: CustomHandler<unknown, unknown, unknown>
  readonly #args: InferenceArgs | undefined
  readonly #parts: CustomParts
  #model: unknown
  #hasWarned = false
  loaded: LoadedModel

  constructor(spec: CustomSpec, { handler, inferenceArgs }: PlacedHandler, parts: CustomParts) {
    this.#spec = spec
    this.#handler = handler as unknown as CustomHandler<unknown, unknown, unknown>
    this.#args = inferenceArgs
    this.#parts = parts
    // Of what a handler loads only the handler knows how large it is, and whether it has changed.
    const nothing = { sizeBytes: 0, sha256: '', fixedRows: undefined, partlyOnCpu: false, refusedProviders: [] }
    const withoutControl = handler.controlBatch === undefined
    this.loaded = {
      modelId: spec.uri,
      inputs: [VALUE],
      outputs: [VALUE],
      provider: 'cpu',
      loadMs: 0,
      withoutControl,
      ...nothing,
    }
  }

  async open(): Promise<void> {
    const { identifier, uri, name, file } = this.#spec
    const handler = this.#handler
    if (file !== undefined) {
      const { sizeBytes, sha256 } = readModelOf(this.#spec)
      this.loaded = { ...this.loaded, sizeBytes, sha256 }
    }
    let doing = 'validateInferenceArgs refuses what the step gives'
    try {
      handler.validateInferenceArgs?.(this.#args)
      doing = `loadModel("${uri}") failed`
      const load = async () => handler.loadModel(file ?? uri)
      const unload = async (model: unknown) => handler.unloadModel?.(model)
      this.#model = await this.#parts.models.acquire(identifier, load, unload)
    } catch (error) {
      throw RunInferenceError.wrap(error, 'MODEL_UNUSABLE', `${name}: ${doing}`)
    }
    try {
      await this.runControl()
    } catch (error) {
      await this.release()
      throw RunInferenceError.wrap(error, 'MODEL_UNUSABLE', `${name}: the control batch failed`)
    }
  }

  async run(_memory: unknown, { examples }: Pick<RunRequest, 'examples'>): Promise<RunResults> {
    const batch = unpack(examples!)
    const numBytes = this.#bytesOf(batch) ?? examples!.byteLength
    const results = packResults(this.#spec.name, await this.#infer(batch))
    return { outputs: [], results, numBytes }
  }

  async runControl(): Promise<void> {
    const batch = this.#handler.controlBatch?.()
    if (batch !== undefined) await this.#infer(batch)
  }

  async release(): Promise<void> {
    const { identifier, name } = this.#spec
    try {
      await this.#parts.models.release(identifier)
    } catch (error) {
      this.#parts.warn(RunInferenceError.wrap(error, 'INFERENCE_FAILED', `${name}: unloadModel failed`).message)
    }
  }

  async #infer(batch: readonly unknown[]): Promise<readonly unknown[]> {
    const { name } = this.#spec
    // Handlers may change the list that they are given.
    const rows = batch.length
    let results: readonly unknown[]
    try {
      results = await readResults(await this.#handler.runInference(batch, this.#model, this.#args), rows)
    } catch (error) {
      throw this.#thrown(error)
    }
    requireCount(name, results.length, rows)
    return results
  }

  #thrown(error: unknown): RunInferenceError {
    const { name } = this.#spec
    try {
      const isTransient = this.#handler.isTransient?.(error) === true
      return RunInferenceError.wrap(error, isTransient ? 'MODEL_TRANSIENT' : 'INFERENCE_FAILED', name)
    } catch (second) {
      const asked = RunInferenceError.wrap(
        second,
        'INFERENCE_FAILED',
        'isTransient, which was asked about it, threw too',
      )
      return RunInferenceError.wrap(error, 'INFERENCE_FAILED', `${name}: (${asked.message})`)
    }
  }

  #bytesOf(batch: readonly unknown[]): number | undefined {
    if (!this.#handler.getNumBytes) return undefined
    try {
      const bytes: unknown = this.#handler.getNumBytes(batch)
      if (typeof bytes === 'number' && bytes >= 0 && bytes < Number.POSITIVE_INFINITY) return bytes
      throw new TypeError(`expected a number of bytes, got ${typeof bytes} ${String(bytes)}`)
    } catch (error) {
      const { message } = RunInferenceError.wrap(error, 'INFERENCE_FAILED', `${this.#spec.name}: getNumBytes failed`)
      if (!this.#hasWarned) this.#parts.warn(message)
      this.#hasWarned = true
      return undefined
    }
  }
}
