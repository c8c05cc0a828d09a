// Beam's RunInferenceBaseTest, dead letters and order of functions: each test has the name of Beam's.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { modelHandler } from 'kafka-run-inference'
import type { DriverFailure } from 'kafka-run-inference/testing'
import { beamRun } from '../../parity/beam-run.ts'
import type { AnyHandler } from '../../parity/handler-text.ts'

const INPUT = [1, 5, 3, 10]
const BATCH = { batch: { maxSize: 1 }, exceptionHandling: { failureUnit: 'batch' } } as const

/** Adds one; some examples make it throw. */
function plusOne(bad: (example: number) => boolean = () => false): AnyHandler {
  return modelHandler<number, number, number>({
    name: 'plus-one',
    loadModel: () => 1,
    runInference: (batch, by) =>
      batch.map(example => {
        if (bad(example)) throw new Error(`cannot take ${example}`)
        return example + by
      }),
  }) as AnyHandler
}

/** Throws for one value, gives all others on. */
function refusing(value: number) {
  return ((element: number) => {
    if (element === value) throw new Error(`no ${value}`)
    return element
  }) as never
}

function shown({ stage, index, element }: DriverFailure): string {
  return `${stage} ${index}: ${JSON.stringify(element)}`
}

describe('dead letters, as Beam tests them', () => {
  it('test_run_inference_preprocessing_dlq: right list, others empty, good ones pass', async () => {
    const handler = () => plusOne().withPreprocess<never>(refusing(3)).withPreprocess<never>(refusing(5))
    const { main, failures } = await beamRun({ input: INPUT, handler, options: BATCH })
    assert.deepEqual(main, [2, 11])
    assert.deepEqual(failures.map(shown), ['preprocess 0: 5', 'preprocess 1: 3'])
  })

  it('test_run_inference_postprocessing_dlq: the element is the prediction, not the record', async () => {
    const handler = () => plusOne().withPostprocess(refusing(6))
    const { main, failures } = await beamRun({ input: INPUT, handler, options: BATCH })
    assert.deepEqual(main, [2, 4, 11])
    assert.deepEqual(failures.map(shown), ['postprocess 0: 6'])
  })

  it('test_run_inference_pre_and_post_processing_dlq', async () => {
    const handler = () => plusOne().withPreprocess<never>(refusing(5)).withPostprocess(refusing(4))
    const { main, failures } = await beamRun({ input: INPUT, handler, options: BATCH })
    assert.deepEqual(main, [2, 11])
    assert.deepEqual(failures.map(shown).sort(), ['postprocess 0: 4', 'preprocess 0: 5'])
  })

  it('test_run_inference_impl_dlq: two bad out of five, batches of one', async () => {
    const { main, failures } = await beamRun({
      input: [1, 'TypeError', 5, 'TypeError', 10],
      handler: () => plusOne(example => typeof example !== 'number'),
      options: BATCH,
    })
    assert.deepEqual(main, [2, 6, 11])
    assert.deepEqual(failures.map(shown), ['inference -1: "TypeError"', 'inference -1: "TypeError"'])
  })

  it('test_run_inference_preprocessing_multiple_fns: the last added runs first', async () => {
    const handler = () =>
      plusOne()
        .withPreprocess<never>(((x: number) => x * 10) as never)
        .withPreprocess<never>(((x: number) => x + 2) as never)
    assert.deepEqual((await beamRun({ input: [1, 2], handler })).main, [31, 41])
  })

  it('test_run_inference_postprocessing_multiple_fns: the first added runs first', async () => {
    const handler = () =>
      plusOne()
        .withPostprocess(((x: number) => x * 10) as never)
        .withPostprocess(((x: number) => x + 2) as never)
    assert.deepEqual((await beamRun({ input: [1, 2], handler })).main, [22, 32])
  })
})
