// Beam's RunInferenceBaseTest, the basics: each test has the name of Beam's.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type CustomHandler, modelHandler, type PredictionResult, predictionResult } from 'kafka-run-inference'
import { beamRun } from '../../parity/beam-run.ts'
import type { AnyHandler } from '../../parity/handler-text.ts'

/** Adds one to each example, as Beam's FakeModelHandler does. */
const PLUS_ONE: CustomHandler<number, number, number> = {
  name: 'plus-one',
  loadModel: () => 1,
  runInference: (batch, by) => batch.map(example => example + by),
}

function plusOne(more: Partial<CustomHandler<number, number, number>> = {}): AnyHandler {
  return modelHandler({ ...PLUS_ONE, ...more }) as AnyHandler
}

describe('RunInference, the basics, as Beam tests them', () => {
  it('test_run_inference_impl_simple_examples', async () => {
    const { main, error } = await beamRun({ input: [1, 5, 3, 10], handler: plusOne })
    assert.equal(error, undefined)
    assert.deepEqual(main, [2, 6, 4, 11])
  })

  it('test_run_inference_impl_prebatched: the results of batches leave one by one', async () => {
    const input = [
      [1, 5],
      [3, 10],
    ]
    const { main } = await beamRun({ input, handler: () => plusOne().withNoBatching() })
    assert.deepEqual(main, [2, 6, 4, 11])
  })

  it('test_run_inference_impl_inference_args: the handler gets them', async () => {
    const runInference: (typeof PLUS_ONE)['runInference'] = (batch, by, args) =>
      batch.map(example => (args?.key === true ? example + by : example))
    const run = (inferenceArgs: Record<string, unknown>) =>
      beamRun({ input: [1, 5], handler: () => plusOne({ runInference }), options: { inferenceArgs } })
    assert.deepEqual((await run({ key: true })).main, [2, 6])
    assert.deepEqual((await run({ key: false })).main, [1, 5])
  })

  it('test_unexpected_inference_args_passed: a handler that refuses them stops the topology before any record', async () => {
    const validateInferenceArgs = (args: unknown) => {
      if (args !== undefined) throw new TypeError('inference_args were provided, but should be None')
    }
    const handler = () => plusOne({ validateInferenceArgs })
    const { error, main } = await beamRun({ input: [1], handler, options: { inferenceArgs: { key: true } } })
    assert.match(String(error), /MODEL_UNUSABLE.*inference_args were provided, but should be None/s)
    assert.deepEqual(main, [])
    assert.deepEqual((await beamRun({ input: [1], handler })).main, [2])
  })

  it('test_forwards_batch_args: options of the handler decide its batches', async () => {
    const sizes: number[] = []
    const runInference: (typeof PLUS_ONE)['runInference'] = batch => {
      sizes.push(batch.length)
      return batch
    }
    const handler = () =>
      plusOne({
        runInference,
        batchElementsOptions: { mode: 'stream', minSize: 9_999, maxSize: 9_999, maxWaitMs: 1_000 },
      })
    const input = Array.from({ length: 100 }, (_, i) => i)
    await beamRun({ input, handler, options: { batch: { mode: 'stream' } } })
    assert.deepEqual(sizes, [100])
  })

  it('test_model_handler_compatibility: a handler of a class of its own, which knows three members of the interface', async () => {
    class ThirdParty {
      readonly name = 'third-party'
      readonly #by = 1

      loadModel(): number {
        return this.#by
      }

      *runInference(batch: readonly number[], by: number): Generator<number> {
        for (const example of batch) yield example + by
      }
    }
    const { main, error } = await beamRun({
      input: [1, 5, 3],
      handler: () => modelHandler(new ThirdParty()) as AnyHandler,
    })
    assert.equal(error, undefined)
    assert.deepEqual(main, [2, 6, 4])
  })

  it('test_run_inference_prediction_result_with_model_id', async () => {
    const handler = (): AnyHandler =>
      modelHandler<number, PredictionResult<number, number>, string>({
        name: 'labelled',
        modelId: 'fake_path',
        loadModel: id => id,
        runInference: (batch, id) => batch.map(example => predictionResult(example, example + 1, id)),
      }) as AnyHandler
    const { main } = await beamRun({ input: [1, 5], handler })
    assert.deepEqual(main, [
      { $prediction_result: { example: 1, inference: 2, model_id: 'fake_path' } },
      { $prediction_result: { example: 5, inference: 6, model_id: 'fake_path' } },
    ])
  })

  it('test_env_vars_set_correctly: they are set before the load', async () => {
    const seen: unknown[] = []
    const loadModel = () => {
      seen.push(process.env.KRI_PARITY_TEST)
      return 1
    }
    await beamRun({ input: [1], handler: () => plusOne({ loadModel, envVars: { KRI_PARITY_TEST: 'set' } }) })
    assert.deepEqual(seen, ['set'])
  })

  it('test_child_class_without_env_vars: without any, a model loads all the same', async () => {
    assert.deepEqual((await beamRun({ input: [1], handler: plusOne })).main, [2])
  })
})
