// Beam's RunInferenceBaseTest, keys: each test has the name of Beam's.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type BareModelHandler, type KV, keyed, kv, maybeKeyed, modelHandler } from 'kafka-run-inference'
import { beamRun } from '../../parity/beam-run.ts'
import type { AnyHandler } from '../../parity/handler-text.ts'

const KEYS = Array.from({ length: 12 }, (_, i) => String(i))

function adding(by: number, onLoad = () => {}): BareModelHandler<number, number> {
  return modelHandler<number, number, number>({
    name: `plus-${by}`,
    loadModel() {
      onLoad()
      return by
    },
    runInference: (batch, model) => batch.map(example => example + model),
    getNumBytes: batch => 8 * batch.length,
  })
}

function pair(key: string, value: unknown) {
  return { $tuple: [key, value] }
}

const PAIRS = [1, 5, 3, 10].map((value, i) => pair(String(i), value))
const PLUS_ONE = [2, 6, 4, 11].map((value, i) => pair(String(i), value))

describe('RunInference with keys, as Beam tests it', () => {
  it('test_run_inference_impl_with_keyed_examples', async () => {
    const { main } = await beamRun({ input: PAIRS, handler: () => keyed(adding(1)) as AnyHandler })
    assert.deepEqual(main, PLUS_ONE)
  })

  it('test_run_inference_impl_with_keyed_examples_many_model_handlers', async () => {
    const handler = () =>
      keyed([
        { keys: ['0'], handler: adding(199) },
        { keys: ['1', '2', '3'], handler: adding(1) },
      ]) as AnyHandler
    const { main } = await beamRun({ input: PAIRS, handler })
    assert.deepEqual(main, [pair('0', 200), ...PLUS_ONE.slice(1)])
  })

  it('test_run_inference_impl_with_keyed_examples_many_mhs_max_models_hint: models come and go', async () => {
    let loads = 0
    const onLoad = () => void loads++
    const mappings = KEYS.map((key, i) => ({ keys: [key], handler: adding(i, onLoad) }))
    const input = [...KEYS, ...KEYS].map(key => pair(key, 1))
    const run = (maxModelsPerWorker: number) =>
      beamRun({ input, handler: () => keyed(mappings, { maxModelsPerWorker }) as AnyHandler })
    const { main, error } = await run(2)
    assert.equal(error, undefined)
    assert.deepEqual(
      main,
      input.map(({ $tuple: [key] }) => pair(String(key), 1 + Number(key))),
    )
    assert.ok(loads >= KEYS.length, `${loads} loads`)
  })

  it('test_keyed_model_handler_get_num_bytes, test_keyed_model_handler_multiple_models_get_num_bytes', async () => {
    const bytesOf = async (handler: () => AnyHandler) => {
      const { metrics } = await beamRun({ input: PAIRS, handler })
      const bytes = metrics.find(({ name }) => name === 'inference_request_batch_byte_size')?.value
      return typeof bytes === 'object' ? bytes.sum : undefined
    }
    assert.equal(await bytesOf(() => keyed(adding(1)) as AnyHandler), 32)
    const mappings = [
      { keys: ['0'], handler: adding(199) },
      { keys: ['1', '2', '3'], handler: adding(1) },
    ]
    assert.equal(await bytesOf(() => keyed(mappings) as AnyHandler), 32)
  })

  it('test_run_inference_impl_with_maybe_keyed_examples', async () => {
    const handler = () => maybeKeyed(adding(1)) as AnyHandler
    assert.deepEqual((await beamRun({ input: [1, 5], handler })).main, [2, 6])
    assert.deepEqual((await beamRun({ input: PAIRS, handler })).main, PLUS_ONE)
  })

  it('test_run_inference_keyed_examples_with_unkeyed_model_handler: an error', async () => {
    const { main, failures } = await beamRun({ input: [pair('a', 1)], handler: () => rejecting() })
    assert.deepEqual(main, [])
    assert.equal(failures.length, 1)
    assert.match(failures[0]!.message, /not a number/)
  })

  it('test_run_inference_keyed_pre_and_post_processing', async () => {
    const handler = () =>
      keyed(adding(1))
        .withPreprocess(({ key, value }: KV<string, number>) => kv(key, value * 2))
        .withPostprocess(({ key, value }) => kv(key, value * 2)) as AnyHandler
    const { main } = await beamRun({ input: PAIRS, handler })
    assert.deepEqual(
      main,
      [6, 22, 14, 42].map((value, i) => pair(String(i), value)),
    )
  })

  it('test_run_inference_maybe_keyed_pre_and_post_processing', async () => {
    const double = (element: number | KV<string, number>) =>
      typeof element === 'number' ? element * 2 : kv(element.key, element.value * 2)
    const handler = () => maybeKeyed(adding(1)).withPreprocess(double).withPostprocess(double) as AnyHandler
    assert.deepEqual((await beamRun({ input: [1, 5], handler })).main, [6, 22])
    assert.deepEqual((await beamRun({ input: [pair('a', 1)], handler })).main, [pair('a', 6)])
  })
})

/** A model that takes numbers, given pairs. */
function rejecting(): AnyHandler {
  return modelHandler<unknown, number, null>({
    name: 'numbers',
    loadModel: () => null,
    runInference: batch =>
      batch.map(example => {
        if (typeof example !== 'number') throw new TypeError('not a number')
        return example + 1
      }),
  }) as AnyHandler
}
