/**
 * The oracle's JSON has a neutral form for what only Python or only JavaScript has: `$tuple`, `$ndarray`,
 * `$prediction_result`, `$float`. Here it becomes elements of a stream, and elements become it again.
 */
import { isKV, kv, type PredictionResult, predictionResult } from 'kafka-run-inference'

const ARRAYS = { float32: Float32Array, float64: Float64Array, int64: BigInt64Array, uint8: Uint8Array } as const

interface NeutralArray {
  readonly dtype: keyof typeof ARRAYS
  readonly shape: readonly number[]
  /** Numbers; `$float` for those that JSON does not know. */
  readonly data: readonly unknown[]
}

interface NeutralPrediction {
  readonly example: unknown
  readonly inference: unknown
  readonly model_id: string | null
}

/** An element as topologies see it: pairs are keyed elements, other tuples are arrays, rows are typed arrays. */
export function fromNeutral(neutral: unknown): unknown {
  if (Array.isArray(neutral)) return neutral.map(fromNeutral)
  if (typeof neutral !== 'object' || neutral === null) return neutral
  const entries = Object.entries(neutral)
  const [name, value] = entries[0] ?? []
  if (name === '$tuple') {
    const parts = (value as readonly unknown[]).map(fromNeutral)
    return parts.length === 2 ? kv(parts[0], parts[1]) : parts
  }
  if (name === '$ndarray') return typedArray(value as NeutralArray)
  if (name === '$float') return Number(String(value).replace('inf', 'Infinity'))
  if (name === '$prediction_result') {
    const { example, inference, model_id } = value as NeutralPrediction
    return predictionResult(fromNeutral(example), fromNeutral(inference), model_id ?? '')
  }
  return Object.fromEntries(entries.map(([key, part]) => [key, fromNeutral(part)]))
}

/** The neutral form of an element, a result or a dead letter's element. */
export function toNeutral(value: unknown): unknown {
  if (isKV(value)) return { $tuple: [toNeutral(value.key), toNeutral(value.value)] }
  if (typeof value === 'number' && !Number.isFinite(value)) {
    return { $float: Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf' }
  }
  if (value === undefined) return { $undefined: true }
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(toNeutral)
  if (ArrayBuffer.isView(value)) return { $ndarray: neutralArray(value) }
  if (isPrediction(value)) {
    const { example, inference, modelId } = value
    return { $prediction_result: { example: toNeutral(example), inference: toNeutral(inference), model_id: modelId } }
  }
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, toNeutral(part)]))
}

/** What Python calls the type of such a value. */
export function pythonType(value: unknown): string {
  if (isKV(value)) return 'tuple'
  if (Array.isArray(value)) return 'list'
  if (value === null || value === undefined) return 'NoneType'
  if (ArrayBuffer.isView(value)) return 'ndarray'
  if (isPrediction(value)) return 'PredictionResult'
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float'
  return typeof value === 'string' ? 'str' : typeof value
}

export function isPrediction(value: unknown): value is PredictionResult<unknown, unknown> {
  return typeof value === 'object' && value !== null && 'example' in value && 'inference' in value && 'modelId' in value
}

function typedArray({ dtype, data: neutral }: NeutralArray): ArrayBufferView {
  const data = neutral.map(fromNeutral) as readonly number[]
  if (dtype === 'int64') return BigInt64Array.from(data, BigInt)
  return ARRAYS[dtype].from(data)
}

function neutralArray(view: ArrayBufferView): NeutralArray {
  const dtype = (Object.keys(ARRAYS) as (keyof typeof ARRAYS)[]).find(name => view instanceof ARRAYS[name])
  if (dtype === undefined) throw new TypeError(`no neutral form of a ${view.constructor.name}`)
  const data = Array.from(view as Float32Array, value => toNeutral(Number(value)))
  return { dtype, shape: [data.length], data }
}
