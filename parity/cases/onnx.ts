/** The ONNX handler: what it gives, what it refuses, which bytes it counts, and how a model fails to load. */
import { float32, keyed, onnx } from 'kafka-run-inference'
import { beamRun, type RunResult } from '../beam-run.ts'
import { failedInferences, otherFailures } from '../dead-letters.ts'
import type { AnyHandler } from '../handler-text.ts'
import { fromNeutral, toNeutral } from '../neutral.ts'
import { errorOf } from '../shape.ts'
import { batchOf, type CaseRun, inWords } from './pipeline.ts'

/** Relative to the root of the project, since predictions are labelled with it. */
export const SMALL = 'parity/small.onnx'
const CORRUPT = 'models/corrupt-garbage.onnx'
const BATCH = { batch: { maxSize: 8 }, exceptionHandling: { failureUnit: 'batch' } } as const

/** Rows in neutral form, by the name of the recorded run. */
const BAD_ROWS: Readonly<Record<string, readonly unknown[]>> = {
  mixed_shapes_64_and_63: [row(64), row(63)],
  all_63: [row(63)],
  'rank_2_rows_(1,64)': [[list(64)]],
  scalar_row: [0.5],
  float64: [row(64, 'float64')],
  int64: [row(64, 'int64', 1)],
  mixed_float32_float64: [row(64), row(64, 'float64')],
  string_row: ['a row of text'],
  python_list_of_floats: [list(64)],
  none: [null],
  nan_row: [{ $ndarray: { dtype: 'float32', shape: [64], data: list(64).map(() => ({ $float: 'nan' })) } }],
  empty_batch_row_0: [row(0)],
}

export const ONNX: Readonly<Record<string, CaseRun>> = {
  onnx_small_fixed_inputs: async oracle => {
    const input = oracle.input as readonly unknown[]
    const alone = await beamRun({ input, handler: small, options: { batch: { maxSize: 1 } } })
    const more = ({ main }: RunResult) => ({ max_abs_difference_batch6_vs_batch1: largestDifference(main, alone.main) })
    return inWords({ handler: small, more })(oracle)
  },
  onnx_keyed: inWords({ handler: () => keyed(bareSmall()) as AnyHandler }),
  onnx_bad_inputs: async ({ expected }) => {
    const results: Record<string, unknown> = {}
    for (const name of Object.keys(expected as object)) {
      const input = BAD_ROWS[name]
      if (!input) throw new Error(`no rows for ${name}`)
      results[name] = rowsOutcome(await beamRun({ input, handler: small, options: BATCH }))
    }
    return results
  },
  onnx_inference_args: async ({ input }) => {
    const rows = input as readonly unknown[]
    const ones = list(64, 1)
    const withArgs = (inferenceArgs: Record<string, unknown>) =>
      beamRun({ input: rows, handler: small, options: { ...BATCH, inferenceArgs } })
    const outcome = async (inferenceArgs: Record<string, unknown>, show: (result: RunResult) => unknown) => {
      const result = await withArgs(inferenceArgs)
      return result.error === undefined ? show(result) : errorOf(result.error)
    }
    return {
      unknown_input: await outcome({ nope: ones }, failedInferences),
      replaces_batch: await outcome({ x: [ones, ones] }, ({ main }) => main.map(inferenceOf)),
      replaces_batch_with_1_row_results: await outcome({ x: [ones] }, ({ main }) => main.length),
    }
  },
  onnx_load_errors: async () => ({
    missing: await loadError('/no/such.onnx'),
    corrupt: await loadError(CORRUPT),
  }),
  onnx_num_bytes: async () => {
    const { metrics } = await beamRun({
      input: [row(64), row(64), row(64)],
      handler: small,
      options: { batch: batchOf() },
    })
    const bytes = metrics.find(({ name }) => name === 'inference_request_batch_byte_size')?.value
    return { get_num_bytes: typeof bytes === 'object' ? bytes.sum : bytes, true_bytes: 3 * 64 * 4 }
  },
}

function bareSmall(model = SMALL) {
  return onnx({ model, input: float32(64), output: float32(10) })
}

function small(): AnyHandler {
  return bareSmall() as AnyHandler
}

async function loadError(model: string): Promise<unknown> {
  const { error } = await beamRun({ input: [], handler: () => bareSmall(model) as AnyHandler })
  return errorOf(error)
}

/** Of the probabilities of two runs of the same rows. */
function largestDifference(some: readonly unknown[], others: readonly unknown[]): number {
  const values = (results: readonly unknown[]) =>
    results.flatMap(result => [...((fromNeutral(result) as { readonly inference: Float32Array }).inference ?? [])])
  const wanted = values(others)
  return Math.max(...values(some).map((value, i) => Math.abs(value - wanted[i]!)))
}

function inferenceOf(result: unknown): unknown {
  return toNeutral((fromNeutral(result) as { readonly inference: unknown }).inference)
}

function rowsOutcome(result: RunResult): object {
  const letters = [...failedInferences(result), ...otherFailures(result)] as readonly Record<string, unknown>[]
  return {
    n_results: result.main.length,
    pipeline_error: errorOf(result.error),
    dead_letters: letters.map(({ element, exception_type, exception_repr, stage }) => ({
      ...(stage === undefined ? {} : { stage }),
      elements_in_dead_letter: stage === undefined && Array.isArray(element) ? element.length : 1,
      exception_type,
      exception_repr,
    })),
  }
}

function list(length: number, fill = 0.5): unknown[] {
  return new Array<number>(length).fill(fill)
}

function row(length: number, dtype = 'float32', fill = 0.5): unknown {
  return { $ndarray: { dtype, shape: [length], data: list(length, fill) } }
}
