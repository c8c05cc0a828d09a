/** Values as people write them in JSON, in the bytes of a codec. */
import { RunInferenceError } from '../errors.ts'
import type { RowEncoder } from '../kafka/codec.ts'
import { isFloat, putCell } from '../models/cells.ts'
import { ARRAYS, isNumeric } from '../models/tensors.ts'
import { show } from '../problem.ts'

const FIRST_BYTES = 1024

/** Throws what the codec says of a value that it does not take. */
export function encodeJson(encoder: RowEncoder<unknown>, value: unknown): Buffer {
  const given = tensorOf(value, encoder)
  let into = Buffer.allocUnsafe(FIRST_BYTES)
  let end = encoder.encode(given, into, 0)
  while (end < 0) {
    into = Buffer.allocUnsafe(Math.max(-end, 2 * into.length))
    end = encoder.encode(given, into, 0)
  }
  return into.subarray(0, end)
}

/** A raw tensor codec takes typed arrays, which JSON has none of: numbers in arrays, nested or not, are a row. */
function tensorOf(value: unknown, { tensor }: RowEncoder<unknown>): unknown {
  if (tensor === undefined || !isNumeric(tensor.dtype) || !Array.isArray(value)) return value
  const { dtype } = tensor
  const numbers: unknown[] = value.flat(Number.POSITIVE_INFINITY)
  const row = new ARRAYS[dtype](numbers.length)
  for (const [i, number] of numbers.entries()) {
    if (!putCell(row, i, number, isFloat(dtype)))
      throw new RunInferenceError('ENCODE_SCHEMA', `number ${i}: expected ${dtype}, got ${show(number)}`)
  }
  return row
}
