import { RunInferenceError } from '../errors.ts'
import type { NumericArray, NumericDtype } from '../models/tensors.ts'
import type { PredictionResult } from '../records.ts'
import type { Encoder } from './codec.ts'
import { hasDtype, isNumericArray, type TensorCodec, writeRow } from './tensor-codec.ts'

/** What a model says: one tensor, or tensors by name. */
type Inference = NumericArray | Readonly<Record<string, unknown>>

/**
 * Writes what the model said about a record, and nothing else, as a raw tensor row. The engine copies such rows from the
 * model's output without making an object per record.
 * @param codec Shape and type that the row must have; default: whatever the model gives.
 * @param output Name of the output; default: the only one, or the first of the codec's type.
 */
export function inference<D extends NumericDtype>(
  codec?: TensorCodec<D>,
  output?: string,
): Encoder<PredictionResult<unknown, Inference>> {
  const label = `inference(${[codec?.label, output].filter(Boolean).join(', ')})`
  return {
    label,
    inferenceOf: { output, tensor: codec && { dtype: codec.dtype, shape: codec.shape } },
    openEncoder: async context => {
      const rows = await codec?.openEncoder(context)
      const where = `The ${context.field} for topic ${context.topic}, ${label}`
      return {
        ...(rows?.tensor ? { tensor: rows.tensor } : {}),
        encode: (value, into, at) => {
          const row = pick(value.inference, codec?.dtype, output, where)
          // The encoder of the codec refuses another element type and says so.
          return rows === undefined ? writeRow(row, into, at) : rows.encode(row as never, into, at)
        },
      }
    },
  }
}

function pick(inferred: Inference, dtype: NumericDtype | undefined, output: string | undefined, where: string) {
  if (isNumericArray(inferred)) return inferred
  if (output !== undefined) {
    const row = inferred[output]
    if (isNumericArray(row)) return row
  } else {
    for (const name in inferred) {
      const row = inferred[name]
      if (isNumericArray(row) && (dtype === undefined || hasDtype(row, dtype))) return row
    }
  }
  const expected = output === undefined ? `an output of type ${dtype ?? 'number'}` : `an output named ${output}`
  throw new RunInferenceError(
    'ENCODE_SCHEMA',
    `${where}: expected ${expected}, got outputs ${Object.keys(inferred).join(', ') || '(none)'}`,
  )
}
