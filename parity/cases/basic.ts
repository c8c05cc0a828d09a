/** Elements without keys: results, batches that are elements already, times, what a prediction is. */
import { keyed, predictionResult } from 'kafka-run-inference'
import { arith } from '../arith.ts'
import type { RunResult } from '../beam-run.ts'
import { handlerOfText } from '../handler-text.ts'
import type { OracleCase } from '../oracle-case.ts'
import { type CaseRun, inWords, type PipelineConfig, pipeline, withFunctions } from './pipeline.ts'

export const BASIC: Readonly<Record<string, CaseRun>> = {
  unkeyed_basic: inWords(),
  unkeyed_raw_results: inWords(),
  unkeyed_empty_input: inWords(),
  unkeyed_duplicates: inWords(),
  no_batching: inWords(),
  no_batching_dlq: inWords(),
  no_batching_inside_keyed: inWords({ handler: recorder => keyed(arith(recorder, MUL_10).withNoBatching() as never) }),
  timestamps_global_window: withTimes,
  timestamps_fixed_windows: withTimes,
  timestamps_dead_letters: withTimes,
  model_not_weakly_referencable: inWords({
    handler: recorder => arith(recorder, { ...MUL_10, also: { name: 'dict' } }),
  }),
  prediction_result_fields: async () => {
    const plain = { example: 1, inference: 2, modelId: 'm' }
    const prediction = predictionResult(1, 2, 'm')
    return {
      fields: Object.keys(prediction).map(name => (name === 'modelId' ? 'model_id' : name)),
      // The type demands a model id: every prediction says which model it came from.
      default_model_id: predictionResult(1, 2, undefined as never).modelId ?? null,
      is_tuple: Array.isArray(prediction),
      equals_plain_tuple: JSON.stringify(prediction) === JSON.stringify(Object.values(plain)),
    }
  },
}

export const MUL_10 = { op: 'mul', by: 10 } as const

/** Elements are (value, event time) and have the time as their record's timestamp. */
function withTimes({ input, config, expected }: OracleCase): Promise<unknown> {
  const pairs = input as readonly { readonly $tuple: readonly [unknown, number] }[]
  const words = config as PipelineConfig
  const [handler, pre] = (words.handler ?? '').split(', ')
  return pipeline(expected, {
    input: pairs.map(({ $tuple }) => $tuple[0]),
    times: pairs.map(({ $tuple }) => $tuple[1]),
    batch: words.batch,
    handler: recorder =>
      withFunctions(
        handlerOfText(handler!, recorder),
        { ...(pre ? { pre: pre.replace(/^pre |"/g, '') } : {}) },
        recorder,
      ),
    more: timesOf,
  })
}

/** Of results and dead letters, in the one window that there is here. */
export function timesOf({ timestamps, failures }: RunResult) {
  const shown = (ms: number) => [`Timestamp(${ms / 1_000})`, 'GlobalWindow']
  const of = (stage: string) =>
    failures.filter(failure => failure.stage === stage).map(({ source }) => shown(source.timestamp))
  return {
    main_timestamp_and_window: timestamps.map(shown),
    dead_timestamp_and_window: { pre0: of('preprocess'), failed_inferences: of('inference') },
  }
}
