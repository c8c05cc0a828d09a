/**
 * One model file as an onnxruntime session; the only importer of onnxruntime-node. `create` and `run` of that library block
 * their thread for the whole call, whatever their promises suggest, so this belongs in a lane (I6).
 *
 * 1. A session exists only after its signature was checked and its control batch ran (I4).
 * 2. Rows are read from and written to the slot's shared memory; only strings and open shapes are allocated per run.
 * 3. Tensor objects are made once per (slot memory, number of rows): the steady state allocates next to nothing.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import './no-telemetry.ts'
import { env, InferenceSession, Tensor } from 'onnxruntime-node'
import { RunInferenceError } from '../errors.ts'
import type { LoadedModel, LoadedTensor, ModelSpec, Provider } from './executor.ts'
import type { CarriedOutput, RunMessage } from './lane-messages.ts'
import { type ModelTensor, matchSignature } from './model-signature.ts'
import { resultCount, runErrorOf } from './onnx-errors.ts'
import { selectProvider } from './providers.ts'
import { layOut, type Regions, viewRows } from './slots.ts'
import type { Dtype, TensorData } from './tensors.ts'

type Bound = { readonly feeds: Record<string, Tensor>; readonly fetches: Record<string, Tensor | null> }
type RunRequest = Pick<RunMessage, 'prepared' | 'rowShapes' | 'from' | 'rows' | 'strings'>

// Two rows of zeros: one row would not show that a model drops the batch dimension.
const CONTROL_ROWS = 2
// Bound objects kept per slot memory; every number of rows up to the usual largest batch.
const MAX_BOUND = 1024
// Errors are thrown, with their text; onnxruntime's own log lines would repeat each on standard error.
const LOG_FATAL_ONLY = 4
env.logLevel = 'fatal'

/** Reads, creates, checks and warms up. Rejects MODEL_UNUSABLE with what is wrong, where, and what to do. */
export async function openOnnxSession(spec: ModelSpec, now: () => number): Promise<OnnxSession> {
  const startedAt = now()
  const bytes = readModel(spec.uri)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const { opened, refused } = await selectProvider(`${spec.uri} (${bytes.byteLength} bytes)`, spec, async provider => {
    const session = await InferenceSession.create(bytes, sessionOptions(spec, provider))
    try {
      const { inputs, outputs } = matchSignature(spec, {
        inputs: session.inputMetadata.map(describe),
        outputs: session.outputMetadata.map(describe),
      })
      const opened = new OnnxSession(session, {
        modelId: spec.uri,
        inputs,
        outputs,
        provider,
        fixedRows: undefined,
        refusedProviders: [],
        loadMs: 0,
        sizeBytes: bytes.byteLength,
        sha256,
      })
      await opened.runControl().catch(error => {
        // A refusal of this provider, not of the model: some find out only when they run it what they cannot do.
        const text = error instanceof Error ? error.message : String(error)
        throw new Error(`loads, but fails its warm-up batch of ${CONTROL_ROWS} rows of zeros: ${text}`, {
          cause: error,
        })
      })
      return opened
    } catch (error) {
      await session.release()
      throw error
    }
  })
  opened.loaded = { ...opened.loaded, refusedProviders: refused, loadMs: now() - startedAt }
  return opened
}

/** A loaded, checked, warmed-up session. */
export class OnnxSession {
  loaded: LoadedModel
  readonly #session: InferenceSession
  readonly #control: Bound
  readonly #closedInputs: boolean
  readonly #bound = new WeakMap<Regions, Map<number, Bound>>()

  constructor(session: InferenceSession, loaded: LoadedModel) {
    this.#session = session
    this.loaded = loaded
    this.#control = controlBatch(loaded)
    this.#closedInputs = loaded.inputs.every(({ dtype, shape }) => dtype !== 'string' && !shape.includes(null))
  }

  /** Runs rows of the slot; per output null when its rows are in the output region by now. */
  async run(regions: Regions, request: RunRequest): Promise<(CarriedOutput | null)[]> {
    const uri = this.loaded.modelId
    const { rows } = request
    this.#checkRowShapes(request.rowShapes)
    try {
      const bound = this.#bind(regions, request)
      const results = await this.#session.run(bound.feeds, bound.fetches)
      return this.loaded.outputs.map(output => {
        const tensor = results[output.name] as Tensor
        checkResult(uri, output, tensor, rows)
        return bound.fetches[output.name]
          ? null
          : { data: tensor.data as TensorData, rowShape: tensor.dims.slice(1) as number[] }
      })
    } catch (error) {
      throw runErrorOf(error, uri, rows)
    }
  }

  /** The warm-up batch again. */
  async runControl(): Promise<void> {
    try {
      const results = await this.#session.run(this.#control.feeds, this.#control.fetches)
      for (const output of this.loaded.outputs) {
        checkResult(this.loaded.modelId, output, results[output.name] as Tensor, CONTROL_ROWS)
      }
    } catch (error) {
      throw runErrorOf(error, this.loaded.modelId, CONTROL_ROWS)
    }
  }

  release(): Promise<void> {
    return this.#session.release()
  }

  // Before the native call, since not every provider refuses a wrong shape by itself.
  #checkRowShapes(rowShapes: RunRequest['rowShapes']): void {
    for (const [index, { name, dtype, shape }] of this.loaded.inputs.entries()) {
      const got = rowShapes[index]!
      if (got.length === shape.length && shape.every((size, axis) => size === null || size === got[axis])) continue
      const expected = `${dtype}[${shape.map(size => size ?? '?').join(',')}]`
      throw new RunInferenceError(
        'SHAPE_MISMATCH',
        `${this.loaded.modelId}: input '${name}': expected ${expected} a row, got ${dtype}[${got.join(',')}]`,
      )
    }
  }

  #bind(regions: Regions, request: RunRequest): Bound {
    // Sub-ranges, strings and open shapes are rare or vary; everything else is determined by the number of rows.
    if (!this.#closedInputs || request.from !== 0 || request.rows !== request.prepared) {
      return bind(this.loaded, regions, request)
    }
    let byRows = this.#bound.get(regions)
    if (!byRows || byRows.size >= MAX_BOUND) {
      byRows = new Map()
      this.#bound.set(regions, byRows)
    }
    const known = byRows.get(request.rows)
    if (known) return known
    const bound = bind(this.loaded, regions, request)
    byRows.set(request.rows, bound)
    return bound
  }
}

function bind({ inputs, outputs }: LoadedModel, regions: Regions, request: RunRequest): Bound {
  const { prepared, rowShapes, from, rows } = request
  const inputRooms = layOut(inputs, rowShapes, prepared).rooms
  const outputShapes = outputs.map(({ shape }) => shape)
  const outputRooms = layOut(outputs, outputShapes, prepared).rooms
  const feeds: Record<string, Tensor> = {}
  for (const [index, { name, dtype }] of inputs.entries()) {
    const dims = [rows, ...rowShapes[index]!]
    const strings = request.strings?.[index]
    const data = strings ?? viewRows(regions.input, dtype, inputRooms[index]!, from, rows)
    feeds[name] = tensorOf(dtype, data, dims)
  }
  const fetches: Record<string, Tensor | null> = {}
  for (const [index, { name, dtype, shape }] of outputs.entries()) {
    const room = outputRooms[index]!
    fetches[name] =
      room.offset < 0
        ? null
        : tensorOf(dtype, viewRows(regions.output, dtype, room, 0, rows), [rows, ...(shape as number[])])
  }
  return { feeds, fetches }
}

function controlBatch({ inputs, outputs }: LoadedModel): Bound {
  const shapes = inputs.map(({ shape }) => shape.map(size => size ?? 1))
  const { rooms, bytes } = layOut(inputs, shapes, CONTROL_ROWS)
  const zeros = new ArrayBuffer(bytes)
  const feeds: Record<string, Tensor> = {}
  for (const [index, { name, dtype }] of inputs.entries()) {
    const room = rooms[index]!
    const data =
      dtype === 'string'
        ? Array<string>(CONTROL_ROWS * room.rowElements).fill('')
        : viewRows(zeros, dtype, room, 0, CONTROL_ROWS)
    feeds[name] = tensorOf(dtype, data, [CONTROL_ROWS, ...shapes[index]!])
  }
  return { feeds, fetches: Object.fromEntries(outputs.map(({ name }) => [name, null])) }
}

// One of the library's overloads per dtype; the data was made for this dtype by `viewRows`.
function tensorOf(dtype: Dtype, data: TensorData, dims: readonly number[]): Tensor {
  return new Tensor(dtype as 'float32', data as Float32Array, dims)
}

function checkResult(uri: string, output: LoadedTensor, tensor: Tensor, rows: number): void {
  const { dims, type } = tensor
  if (dims[0] !== rows) throw resultCount(uri, output.name, rows, dims.length === 0 ? 'no' : String(dims[0]))
  const fits =
    type === output.dtype &&
    dims.length === output.shape.length + 1 &&
    output.shape.every((size, axis) => size === null || size === dims[axis + 1])
  if (fits) return
  const expected = `${output.dtype}[${output.shape.map(size => size ?? '?').join(',')}]`
  throw new RunInferenceError(
    'SHAPE_MISMATCH',
    `${uri}: output '${output.name}': expected ${expected} a row, got ${type}[${dims.slice(1).join(',')}]`,
  )
}

function readModel(uri: string): Uint8Array {
  let bytes: Uint8Array
  try {
    bytes = readFileSync(uri)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw unusable(
      `${uri} cannot be read (looked for ${resolve(uri)}): ${reason}. Check the path and its rights`,
      error,
    )
  }
  if (bytes.byteLength === 0) throw unusable(`${uri} is empty (0 bytes). Copy the model file again`)
  return bytes
}

function sessionOptions(spec: ModelSpec, provider: Provider): InferenceSession.SessionOptions {
  return {
    executionProviders: [provider],
    intraOpNumThreads: spec.intraOpNumThreads,
    interOpNumThreads: 1,
    logSeverityLevel: LOG_FATAL_ONLY,
    // More than one thread would otherwise spin between calls, and take a core while idle.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  }
}

function describe(metadata: InferenceSession.ValueMetadata): ModelTensor {
  if (!metadata.isTensor) return { name: metadata.name, dtype: undefined, shape: [] }
  return { name: metadata.name, dtype: metadata.type, shape: metadata.shape }
}

function unusable(message: string, cause?: unknown): RunInferenceError {
  return new RunInferenceError('MODEL_UNUSABLE', `${message}.`, cause === undefined ? {} : { cause })
}
