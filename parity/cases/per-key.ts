/** A model for each key: which one runs, what becomes of unknown keys and failing models, loads and their limit. */
import {
  type BareModelHandler,
  type KeyModelMapping,
  keyed,
  type ModelHandler,
  type ModelLimits,
} from 'kafka-run-inference'
import { type ArithOptions, arith } from '../arith.ts'
import { beamRun } from '../beam-run.ts'
import { type AnyHandler, arithOfText } from '../handler-text.ts'
import type { Recorder } from '../recorder.ts'
import { Recorder as FreshRecorder } from '../recorder.ts'
import { construction } from './keyed.ts'
import { type BeamBatch, type CaseRun, inWords, pipeline } from './pipeline.ts'
import { eachRun } from './runs.ts'

type Mapping = readonly (readonly [readonly string[], string])[]

interface PerKeyConfig {
  readonly mapping: Mapping
  readonly batch?: BeamBatch
  readonly max_models_per_worker_hint?: number
}

export const MUL: ArithOptions = { op: 'mul', by: 10, modelId: 'm_mul' }
export const ADD: ArithOptions = { op: 'add', by: 1, modelId: 'm_add' }
const IDENTITY = ((element: unknown) => element) as never

export const PER_KEY: Readonly<Record<string, CaseRun>> = {
  per_key_basic: mapped,
  per_key_cohort_two_keys: inWords({ handler: recorder => perKey(recorder, [[['k1', 'k3'], MUL]]) }),
  per_key_unknown_key: eachRun(() => mapped),
  per_key_one_model_fails: inWords({
    handler: recorder =>
      perKey(recorder, [
        [['k1'], MUL],
        [['k2'], { ...ADD, failOn: 2 }],
      ]),
  }),
  per_key_hint_1: mapped,
  per_key_hint_2: mapped,
  per_key_unused_model_not_loaded: mapped,
  per_key_with_preprocess: eachRun(
    name =>
      ({ input, config, expected }) =>
        pipeline(expected, {
          input: name.startsWith('no_batching') ? [input] : (input as readonly unknown[]),
          handler: recorder => {
            const handler = perKeyOfText(recorder, config as PerKeyConfig)
            if (name.startsWith('postprocess')) return handler.withPostprocess(IDENTITY)
            return name.startsWith('no_batching') ? handler.withNoBatching() : handler.withPreprocess<never>(IDENTITY)
          },
        }),
  ),
  per_key_load_failure: eachRun(
    name =>
      ({ input, config, expected }) =>
        pipeline(expected, {
          input: input as readonly unknown[],
          batch: (config as PerKeyConfig).batch,
          handler: recorder =>
            perKey(
              recorder,
              [
                [['k1'], { ...MUL, modelId: 'm_bad', failLoad: true }],
                [['k2'], ADD],
              ],
              name === 'hint_1' ? { maxModelsPerWorker: 1 } : {},
            ),
        }),
  ),
  per_key_constructor_errors: async () => {
    const recorder = new FreshRecorder()
    const a = () => arith(recorder, MUL)
    const mapping = (...mappings: KeyModelMapping<string, unknown, unknown>[]) =>
      construction(() => keyed(mappings) as AnyHandler)
    return {
      key_twice: await mapping({ keys: ['a', 'b'], handler: a() }, { keys: ['b'], handler: a() }),
      key_twice_in_one_list: await mapping({ keys: ['a', 'a'], handler: a() }),
      empty_keys: await mapping({ keys: [], handler: a() }),
      empty_mapping_list: await mapping(),
      model_copies_2: await mapping({ keys: ['a'], handler: arith(recorder, { ...MUL, also: { modelCopies: 2 } }) }),
    }
  },
  per_key_batching_kwargs_ignored: async () => {
    const recorder = new FreshRecorder()
    const sized = () => arith(recorder, { ...MUL, also: { batchElementsOptions: { minSize: 2, maxSize: 2 } } })
    const many = keyed([{ keys: ['k1'], handler: sized() }]).definition
    return {
      batch_elements_kwargs: kwargsOf(many.batch),
      single_model_batch_elements_kwargs: kwargsOf(keyed(sized()).definition.batch),
      metrics_namespace: await namespaceOf(keyed([{ keys: ['k1'], handler: sized() }])),
      share_model_across_processes: many.cohorts.every(({ model }) => model.isolation === 'process'),
    }
  },
}

function mapped({ input, config, expected }: Parameters<CaseRun>[0]): Promise<unknown> {
  const words = config as PerKeyConfig
  return pipeline(expected, {
    input: input as readonly unknown[],
    batch: words.batch,
    handler: recorder => perKeyOfText(recorder, words),
  })
}

function perKeyOfText(recorder: Recorder, config: PerKeyConfig): AnyHandler {
  const { max_models_per_worker_hint: hint } = config
  const limits = hint === undefined ? {} : { maxModelsPerWorker: hint }
  return perKey(
    recorder,
    config.mapping.map(([keys, text]) => [keys, arithOfText(text)]),
    limits,
  )
}

export function perKey(
  recorder: Recorder,
  mapping: readonly (readonly [readonly string[], ArithOptions])[],
  limits: ModelLimits = {},
): AnyHandler {
  const handlers = mapping.map(([keys, options]) => ({
    keys,
    handler: arith(recorder, options) as BareModelHandler<unknown, unknown>,
  }))
  return keyed(handlers, limits) as AnyHandler
}

async function namespaceOf(handler: ModelHandler<never, unknown>): Promise<unknown> {
  const { metrics } = await beamRun({ input: [{ $tuple: ['k1', 1] }], handler: () => handler })
  return metrics.find(({ name }) => name === 'num_inferences')?.namespace
}

function kwargsOf({ minSize, maxSize }: { readonly minSize?: number; readonly maxSize?: number }): object {
  return {
    ...(minSize === undefined ? {} : { min_batch_size: minSize }),
    ...(maxSize === undefined ? {} : { max_batch_size: maxSize }),
  }
}
