/**
 * One model file as an onnxruntime session, in a lane.
 *
 * 1. A session exists only after its signature was checked and its warm-up batches ran (I4).
 * 2. Rows are read from and written to the slot's shared memory; only strings, open shapes and the last rows of a model with
 *    a fixed batch dimension are allocated or copied per run.
 * 3. Tensor objects are made once per (slot memory, number of rows): the steady state allocates next to nothing.
 */
import { RunInferenceError } from '../errors.ts'
import type { LoadedModel, OnnxSpec } from './executor.ts'
import type { ExtraTensor } from './extra-inputs.ts'
import type { CarriedOutput } from './lane-messages.ts'
import type { LaneSession, RunRequest, RunResults } from './lane-session.ts'
import { readModelOf } from './model-file.ts'
import { matchSignature } from './model-signature.ts'
import { runErrorOf } from './onnx-errors.ts'
import {
  createNativeSession,
  describeTensors,
  type NativeSession,
  type NativeTensor,
  releaseNative,
  runNative,
  tensorOf,
} from './onnxruntime.ts'
import { selectProvider } from './providers.ts'
import { callsOf, type Place, paddingPlace, type SessionCall, zeroCall } from './session-calls.ts'
import { carryRows, checkResult, joinParts } from './session-results.ts'
import type { Regions } from './slots.ts'
import { showSpec } from './tensors.ts'

// Of the control batch, unless the first warm-up is larger: one row would not show that a model drops the batch dimension.
const CONTROL_ROWS = 2
// Bound calls kept per slot memory; every number of rows up to the usual largest batch.
const MAX_BOUND = 1024

/** Reads, creates, checks and warms up. Rejects MODEL_UNUSABLE with what is wrong, where, and what to do. */
export async function openOnnxSession(spec: OnnxSpec, now: () => number): Promise<OnnxSession> {
  const startedAt = now()
  const file = readModelOf(spec)
  const { sizeBytes, sha256 } = file
  const { opened, refused } = await selectProvider(`${spec.uri} (${sizeBytes} bytes)`, spec, async provider => {
    const { session, partlyOnCpu } = await createNativeSession(file, spec, provider)
    try {
      const { inputs, outputs, extras, fixedRows } = matchSignature(spec, {
        inputs: describeTensors(session.inputMetadata),
        outputs: describeTensors(session.outputMetadata),
      })
      const loaded = { modelId: spec.uri, inputs, outputs, provider, partlyOnCpu, fixedRows, sizeBytes, sha256 }
      const opened = new OnnxSession(session, { ...loaded, refusedProviders: [], loadMs: 0 }, spec.warmUpRows, extras)
      await opened.warmUp()
      return opened
    } catch (error) {
      await releaseNative(session)
      throw error
    }
  })
  opened.loaded = { ...opened.loaded, refusedProviders: refused, loadMs: now() - startedAt }
  return opened
}

/** A loaded and checked session. */
export class OnnxSession implements LaneSession {
  loaded: LoadedModel
  readonly #session: NativeSession
  readonly #warmUpRows: readonly number[]
  /** What every call is fed beside its rows. */
  readonly #extras: Readonly<Record<string, NativeTensor>> | undefined
  readonly #control: SessionCall
  readonly #closedInputs: boolean
  readonly #bound = new WeakMap<Regions, { readonly byRows: Map<number, SessionCall[]>; count: number }>()
  #padding: Place | undefined

  constructor(
    session: NativeSession,
    loaded: LoadedModel,
    warmUpRows: readonly number[],
    extras: readonly ExtraTensor[],
  ) {
    this.#session = session
    this.loaded = loaded
    this.#warmUpRows = warmUpRows
    const tensors = extras.map(({ name, dtype, data, dims }) => [name, tensorOf(dtype, data, dims)] as const)
    this.#extras = tensors.length > 0 ? Object.fromEntries(tensors) : undefined
    this.#control = zeroCall(loaded, loaded.fixedRows ?? Math.max(CONTROL_ROWS, warmUpRows[0] ?? 0))
    this.#closedInputs = loaded.inputs.every(({ dtype, shape }) => dtype !== 'string' && !shape.includes(null))
  }

  /** The control batch, then the other warm-up sizes. A failure is the provider's: some find out only here what they cannot do. */
  async warmUp(): Promise<void> {
    const { size } = this.#control
    const others = this.loaded.fixedRows === undefined ? this.#warmUpRows.filter(rows => rows !== size) : []
    for (const rows of [size, ...others]) {
      try {
        await this.#call(rows === size ? this.#control : zeroCall(this.loaded, rows), [])
      } catch (error) {
        const text = error instanceof Error ? error.message : String(error)
        throw new Error(`loads, but fails its warm-up batch of ${rows} rows of zeros: ${text}`, { cause: error })
      }
    }
  }

  /** Runs rows of the slot; per output null when its rows are in the output region by now. */
  async run(regions: Regions, request: RunRequest): Promise<RunResults> {
    this.#checkRowShapes(request.rowShapes)
    const { outputs, modelId } = this.loaded
    const parts: CarriedOutput[][] = outputs.map(() => [])
    for (const call of this.#calls(regions, request)) await this.#call(call, parts)
    return {
      outputs: parts.map((carried, index) =>
        carried.length > 0 ? joinParts(modelId, outputs[index]!, carried) : null,
      ),
    }
  }

  /** The control batch again. */
  async runControl(): Promise<void> {
    await this.#call(this.#control, [])
  }

  release(): Promise<void> {
    return releaseNative(this.#session)
  }

  async #call(call: SessionCall, parts: readonly CarriedOutput[][]): Promise<void> {
    const { outputs, modelId } = this.loaded
    for (const { from, into } of call.before) {
      into.set(from)
      into.fill(0, from.length)
    }
    try {
      const results = await runNative(
        this.#session,
        this.#extras ? { ...call.feeds, ...this.#extras } : call.feeds,
        call.fetches,
      )
      for (const [index, output] of outputs.entries()) {
        const tensor = results[output.name] as NativeTensor
        checkResult(modelId, output, tensor, call.size)
        if (call.fetches[output.name] === null) parts[index]?.push(carryRows(tensor, call.rows))
      }
    } catch (error) {
      throw runErrorOf(error, modelId, call.size)
    }
    for (const { from, into } of call.after) into.set(from)
  }

  // Before the native call, since not every provider refuses a wrong shape by itself.
  #checkRowShapes(rowShapes: RunRequest['rowShapes']): void {
    for (const [index, input] of this.loaded.inputs.entries()) {
      const { name, dtype, shape } = input
      const got = rowShapes[index]!
      if (got.length === shape.length && shape.every((size, axis) => size === null || size === got[axis])) continue
      throw new RunInferenceError(
        'SHAPE_MISMATCH',
        `${this.loaded.modelId}: input '${name}': expected ${showSpec(input)} a row, got ${dtype}[${got.join(',')}]`,
      )
    }
  }

  #calls(regions: Regions, request: RunRequest): SessionCall[] {
    // Sub-ranges, strings and open shapes are rare or vary; everything else is determined by the number of rows.
    if (!this.#closedInputs || request.from !== 0 || request.rows !== request.prepared) {
      return this.#bind(regions, request)
    }
    let bound = this.#bound.get(regions)
    if (!bound || bound.count >= MAX_BOUND) {
      bound = { byRows: new Map(), count: 0 }
      this.#bound.set(regions, bound)
    }
    const known = bound.byRows.get(request.rows)
    if (known) return known
    const calls = this.#bind(regions, request)
    bound.byRows.set(request.rows, calls)
    bound.count += calls.length
    return calls
  }

  #bind(regions: Regions, request: RunRequest): SessionCall[] {
    return callsOf(this.loaded, regions, request, rowShapes => this.#paddingFor(rowShapes))
  }

  // Kept where it is always the same: a lane runs one call at a time.
  #paddingFor(rowShapes: RunRequest['rowShapes']): Place {
    const { loaded } = this
    if (!this.#closedInputs) return paddingPlace(loaded, rowShapes, loaded.fixedRows!)
    this.#padding ??= paddingPlace(loaded, rowShapes, loaded.fixedRows!)
    return this.#padding
  }
}
