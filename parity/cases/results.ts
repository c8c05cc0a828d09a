/** Models that give another number of results than they were given examples, or of which something else is odd. */
import { keyed } from 'kafka-run-inference'
import { arith } from '../arith.ts'
import { ValueError } from '../python-errors.ts'
import { MUL_10 } from './basic.ts'
import { MUL, perKey } from './per-key.ts'
import { type BeamBatch, type CaseRun, inWords, pipeline } from './pipeline.ts'
import { eachRun } from './runs.ts'

const KEYS = ['a', 'b', 'c']

const results = eachRun(name => ({ input, config, expected }) => {
  const { extra_results: extraResults, batch } = config as { readonly extra_results: number; readonly batch: BeamBatch }
  const numbers = input as readonly number[]
  const raw = name !== 'prediction_result'
  const options = { ...MUL_10, raw, extraResults }
  return pipeline(expected, {
    input:
      name === 'keyed_raw'
        ? numbers.map((value, i) => ({ $tuple: [KEYS[i], value] }))
        : name === 'per_key_raw'
          ? numbers.slice(0, 2).map(value => ({ $tuple: ['k1', value] }))
          : numbers,
    batch,
    handler: recorder => {
      if (name === 'per_key_raw') return perKey(recorder, [[['k1'], { ...MUL, raw, extraResults }]])
      return name === 'keyed_raw' ? keyed(arith(recorder, options)) : arith(recorder, options)
    },
  })
})

export const RESULTS: Readonly<Record<string, CaseRun>> = {
  result_count_fewer: results,
  result_count_more: results,
  num_bytes_raises: inWords({
    handler: recorder =>
      arith(recorder, {
        ...MUL_10,
        also: {
          getNumBytes() {
            throw new ValueError('cannot size batch')
          },
        },
      }),
  }),
}
