/** Exception handling: what becomes a dead letter, of which function or batch, and when the pipeline ends. */
import type { ExceptionHandling } from 'kafka-run-inference'
import { arith } from '../arith.ts'
import { functionOfText } from '../functions.ts'
import { Custom, KeyError, ValueError } from '../python-errors.ts'
import { MUL_10 } from './basic.ts'
import { type BeamBatch, type CaseRun, handlerInWords, inWords, pipeline } from './pipeline.ts'
import { eachRun } from './runs.ts'

const ERRORS: Readonly<Record<string, () => Error>> = {
  q: () => new ValueError('it\'s "quoted"\nline 2'),
  u: () => new ValueError('größe ✓'),
  e: () => new ValueError(''),
  c: () => new Custom(42, 'detail'),
  k: () => new KeyError('missing'),
}

const FILTERS: Readonly<Record<string, ExceptionHandling>> = {
  value_error: { only: [ValueError] },
  type_error: { only: [ValueError] },
  tuple_of_classes: { only: [ValueError, TypeError] },
}

export const DEAD_LETTERS: Readonly<Record<string, CaseRun>> = {
  dlq_nothing_fails: inWords(),
  dlq_preprocess_indices: inWords(),
  dlq_preprocess_index_0_of_2: inWords(),
  dlq_preprocess_index_1_of_2: inWords(),
  dlq_postprocess_indices: inWords(),
  dlq_inference_whole_batch: inWords(),
  dlq_inference_batch_of_one: inWords(),
  dlq_inference_keyed: inWords(),
  dlq_inference_lazy_generator: inWords(),
  dlq_inference_after_preprocess: inWords({
    handler: recorder =>
      handlerInWords('mul:10 fail_on 4', recorder).withPreprocess<never>(((value: number) => value * 2) as never),
  }),
  dlq_exception_repr: inWords({
    handler: recorder =>
      handlerInWords('echo', recorder).withPreprocess<never>(((element: string) => {
        throw ERRORS[element]!()
      }) as never),
  }),
  dlq_exc_class_filter: eachRun(
    name =>
      ({ input, config, expected }) =>
        pipeline(expected, {
          input: input as readonly unknown[],
          batch: (config as { readonly batch: BeamBatch }).batch,
          exceptionHandling: FILTERS[name]!,
          handler: recorder =>
            arith(recorder, { ...MUL_10, failOn: 2, ...(name === 'value_error' ? {} : { errorClass: TypeError }) }),
        }),
  ),
  dlq_threshold: eachRun(name => ({ input, expected }) => {
    const beforeModel = name.startsWith('pre')
    const size = name.includes('batches_of_2') ? 2 : 1
    return pipeline(expected, {
      input: beforeModel ? ['bad', 'b', 'c', 'd'] : (input as readonly unknown[]),
      batch: { max_batch_size: size },
      exceptionHandling: { threshold: Number(name.slice(name.lastIndexOf('_') + 1)) },
      handler: recorder => {
        if (!beforeModel) return arith(recorder, { ...MUL_10, ...(name.startsWith('nothing') ? {} : { failOn: 2 }) })
        return handlerInWords('echo', recorder).withPreprocess<never>(
          functionOfText('p rejects bad', recorder) as never,
        )
      },
    })
  }),
  dlq_load_failure: eachRun(
    name =>
      ({ input, config, expected }) =>
        pipeline(expected, {
          input: input as readonly unknown[],
          batch: (config as { readonly batch: BeamBatch }).batch,
          handler: recorder =>
            arith(recorder, {
              ...MUL_10,
              failLoad: true,
              ...(name.includes('timeout') ? { also: { timeoutMs: 30_000 } } : {}),
            }),
        }),
  ),
  no_dlq_errors: eachRun(
    name =>
      ({ expected }) =>
        pipeline(expected, {
          input: name === 'inference' ? [1, 2, 3] : ['bad'],
          handler: recorder => {
            if (name === 'inference') return handlerInWords('mul:10 fail_on 2', recorder)
            const echo = handlerInWords('echo', recorder)
            return name === 'preprocess'
              ? echo.withPreprocess<never>(functionOfText('p rejects bad', recorder) as never)
              : echo.withPostprocess(functionOfText('q rejects bad', recorder) as never)
          },
        }),
  ),
}
