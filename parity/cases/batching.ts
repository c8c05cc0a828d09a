/** How many elements a batch takes: fixed sizes, sizes that adapt, waits, buckets, and the defaults. */
import type { BatchOptions, StepOptions } from 'kafka-run-inference'
import { batchPolicy } from '../../src/pipeline/batch-policy.ts'
import { arith } from '../arith.ts'
import { beamRun } from '../beam-run.ts'
import { onePlace } from '../one-place.ts'
import { Recorder } from '../recorder.ts'
import { errorOf } from '../shape.ts'
import { MUL_10 } from './basic.ts'
import { type BeamBatch, type CaseRun, pipeline } from './pipeline.ts'

const SIZES = /^N=(\d+),B=(\d+)$/
const BUCKETS = { lengthOf: (element: unknown) => (element as string).length, boundaries: [3, 6] }
/** More than any of these runs takes. */
const WAIT_MS = 60_000

export const BATCHING: Readonly<Record<string, CaseRun>> = {
  batch_fixed_sizes: async ({ expected }) => {
    const results: Record<string, unknown> = {}
    for (const name of Object.keys(expected as object)) {
      const [, count, maxSize] = SIZES.exec(name)!
      results[name] = await sizesOf(Number(count), { mode: 'bundle', maxSize: Number(maxSize) })
    }
    return results
  },
  batch_adaptive_linear_cost: async ({ expected }) => {
    const results: Record<string, unknown> = {}
    for (const [name, recorded] of Object.entries(expected as Readonly<Record<string, AdaptiveRun>>)) {
      const { N, batch_elements: batch, cost_fixed_s: fixed, cost_per_element_s: each } = recorded
      const minSize = batch.min_batch_size === undefined ? {} : { minSize: batch.min_batch_size }
      const options = {
        mode: 'stream',
        maxSize: batch.max_batch_size ?? 10_000,
        adaptive: { variance: 0, ...minSize },
      } as const
      const sizes = await sizesOf(N, options, ({ rows }) => 1_000 * (fixed + each * rows))
      results[name] = { ...recorded, batch_sizes: sizes }
    }
    return results
  },
  batch_defaults: async () => {
    const optionsOf = (batch: BatchOptions) =>
      arith(new Recorder(), { ...MUL_10, also: { batchElementsOptions: batch } }).definition.batch
    const policy = batchPolicy({})
    return {
      default: kwargsOf(optionsOf({})),
      min_max: kwargsOf(optionsOf({ minSize: 2, maxSize: 5 })),
      duration: kwargsOf(optionsOf({ maxWaitMs: 3_000 })),
      BatchElements_defaults: {
        min_batch_size: policy.minSize,
        max_batch_size: policy.maxSize,
        target_batch_overhead: 0.05,
        target_batch_duration_secs: 10,
        target_batch_duration_secs_including_fixed_cost: null,
        max_batch_duration_secs: policy.maxWaitMs === 0 ? null : policy.maxWaitMs / 1_000,
        element_size_fn: null,
        variance: 0.25,
        clock: null,
        record_metrics: true,
        length_fn: null,
        bucket_boundaries: null,
      },
      min_greater_than_max: await refusal({ minSize: 5, maxSize: 2, maxWaitMs: WAIT_MS }),
      max_below_default_min_ok: await sizesOf(3, { mode: 'bundle', maxSize: 1 }),
      max_0: await refusal({ maxSize: 0 }),
    }
  },
  batch_duration_stateful: async ({ input, config, expected }) => {
    const { max_batch_size: maxSize = 1, min_batch_size: minSize = 1 } = config as BeamBatch
    const batch = { mode: 'stream', minSize, maxSize, maxWaitMs: WAIT_MS } as const
    const { plain, with_element_size_fn: weighed } = expected as Readonly<Record<string, unknown>>
    const elements = input as readonly unknown[]
    const run = (recorded: unknown, more: BatchOptions) =>
      pipeline(recorded, {
        input: elements,
        handler: mul,
        step: { batch: { ...batch, ...more } as StepOptions['batch'] & object },
      })
    return {
      plain: await run(plain, {}),
      // Each element weighs two, so that four of them are more than a batch may have.
      with_element_size_fn: await run(weighed, { sizeOf: () => 2, maxTotalSize: maxSize }),
    }
  },
  batch_length_buckets: async ({ input, expected }) => {
    const { with_duration, without_duration } = expected as Readonly<Record<string, unknown>>
    const elements = input as readonly unknown[]
    const echo = (recorder: Recorder) => arith(recorder, { op: 'echo' })
    const run = (recorded: unknown, batch: BatchOptions) =>
      pipeline(recorded, { input: elements, handler: echo, step: { batch } })
    return {
      with_duration: await run(with_duration, {
        mode: 'stream',
        minSize: 2,
        maxSize: 2,
        maxWaitMs: WAIT_MS,
        bucketBy: BUCKETS,
      }),
      without_duration: await run(without_duration, { maxSize: 2, bucketBy: BUCKETS }),
      boundaries_without_length_fn: await refusal({ bucketBy: { boundaries: [3, 6] } }),
      unsorted: await refusal({ bucketBy: { ...BUCKETS, boundaries: [6, 3] } }),
    }
  },
}

interface AdaptiveRun {
  readonly cost_fixed_s: number
  readonly cost_per_element_s: number
  readonly N: number
  readonly batch_elements: BeamBatch
}

function mul(recorder: Recorder) {
  return arith(recorder, MUL_10)
}

async function sizesOf(
  count: number,
  batch: BatchOptions,
  durationOf?: (batch: { readonly rows: number }) => number,
): Promise<readonly number[]> {
  const recorder = new Recorder()
  const { error } = await beamRun({
    input: Array.from({ length: count }, (_, i) => i),
    handler: () => mul(recorder),
    options: { batch },
    // Beam batches again when the results are there.
    ...(durationOf ? { driver: { durationOf, wrapExecutor: onePlace } } : {}),
  })
  if (error !== undefined) throw error
  return recorder.batches.map(examples => (examples as readonly unknown[]).length)
}

async function refusal(batch: BatchOptions): Promise<unknown> {
  const { error } = await beamRun({
    input: [],
    handler: () => mul(new Recorder()),
    options: { batch: { mode: 'stream', ...batch } },
  })
  const { type, message } = errorOf(error) as { readonly type: string; readonly message: string }
  return { type, message }
}

/** Options as Beam names them. */
function kwargsOf({ minSize, maxSize, maxWaitMs }: BatchOptions<never>): object {
  return {
    ...(minSize === undefined ? {} : { min_batch_size: minSize }),
    ...(maxSize === undefined ? {} : { max_batch_size: maxSize }),
    ...(maxWaitMs === undefined ? {} : { max_batch_duration_secs: maxWaitMs / 1_000 }),
  }
}
