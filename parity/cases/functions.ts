/** Functions before and after the model: their order, what they are given, and what they make of keys and lists. */
import { isKV } from 'kafka-run-inference'
import { arith } from '../arith.ts'
import { functionOfText } from '../functions.ts'
import { isPrediction } from '../neutral.ts'
import { MUL_10 } from './basic.ts'
import { type CaseRun, handlerInWords, inWords, type PipelineConfig, pipeline, withFunctions } from './pipeline.ts'
import { eachRun } from './runs.ts'

const ADDED = /\+(pre|post) (\w+)/g

export const FUNCTIONS: Readonly<Record<string, CaseRun>> = {
  preprocess_order_2: inWords(),
  preprocess_order_3: inWords(),
  postprocess_order_3: inWords(),
  pre_post_around_keyed: inWords(),
  preprocess_drops_key: inWords({
    handler: recorder =>
      handlerInWords('Keyed(mul:10)', recorder).withPreprocess<never>(((element: unknown) =>
        isKV(element) ? element.value : element) as never),
  }),
  postprocess_returns_list: inWords({
    handler: recorder =>
      arith(recorder, MUL_10).withPostprocess(result => {
        const inference = isPrediction(result) ? (result.inference as number) : Number.NaN
        return [inference, inference + 1]
      }) as never,
  }),
  preprocess_runs_per_element_before_batching: eachRun(name => ({ input, expected }) => {
    const elements = input as readonly unknown[]
    return pipeline(expected, {
      input: name === 'no_batching' ? [elements] : elements,
      handler: recorder => {
        const echo = withFunctions(
          handlerInWords('echo', recorder),
          name === 'no_batching' ? {} : { pre: 'p1' },
          recorder,
        )
        return name === 'no_batching'
          ? echo.withNoBatching().withPreprocess<never>(functionOfText('p1', recorder) as never)
          : echo
      },
    })
  }),
  prediction_result_example: eachRun(name => ({ input, expected }) => {
    const numbers = input as readonly number[]
    const times = (by: number) => ((value: number) => value * by) as never
    const plus = (by: number) => ((value: number) => value + by) as never
    return pipeline(expected, {
      input: name === 'keyed' ? [{ $tuple: ['a', 1] }] : name === 'model_id_none' ? [1] : numbers,
      handler: recorder => {
        if (name === 'keyed') return handlerInWords('Keyed(mul:10)', recorder)
        const mul = arith(recorder, { ...MUL_10, ...(name === 'model_id_none' ? { modelId: 'None' } : {}) })
        if (name === 'pre_mul3') return mul.withPreprocess<never>(times(3))
        return name === 'pre_add1_then_added_mul3'
          ? mul.withPreprocess<never>(plus(1)).withPreprocess<never>(times(3))
          : mul
      },
    })
  }),
  monitoring_transform: ({ input, config, expected }) => {
    const { pre, post } = config as PipelineConfig
    return pipeline(expected, {
      input: input as readonly unknown[],
      handler: recorder => withFunctions(handlerInWords('echo', recorder), { pre: pre! }, recorder),
      // What stands behind the monitored results is a function of the graph.
      behind: recorder => functionOfText(post!, recorder),
      more: ({ monitored }) => ({ monitor: monitored }),
    })
  },
  step_labels: ({ input, config, expected }) => {
    const { handler: words } = config as { readonly handler: string }
    const added = [...words.matchAll(ADDED)].map(([, kind, name]) => `${kind} ${name}`)
    return pipeline(expected, {
      input: input as readonly unknown[],
      handler: recorder => withFunctions(handlerInWords('echo', recorder), { added_in_order: added }, recorder),
      more: ({ handler }) => ({ ri_step_labels: labelsOf(handler!.definition) }),
    })
  },
}

/** The places that dead letters of this step can name, in the order of the way. */
function labelsOf({ preprocess, postprocess }: { preprocess: readonly unknown[]; postprocess: readonly unknown[] }) {
  return [
    ...preprocess.map((_, i) => `RI preprocess[${i}]`),
    'RI/BatchElements/ParDo',
    'RI',
    ...postprocess.map((_, i) => `RI postprocess[${i}]`),
  ]
}
