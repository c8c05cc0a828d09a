// Metrics and the arguments of handlers: each test has the name of Beam's.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type CustomHandler, keyed, modelHandler } from 'kafka-run-inference'
import { type BeamRun, beamRun } from '../../parity/beam-run.ts'
import type { AnyHandler } from '../../parity/handler-text.ts'

type Plus = CustomHandler<number, number, number>

let handlers = 0

function plusOne(more: Partial<Plus> = {}) {
  return modelHandler<number, number, number>({
    name: `plus-one-${handlers++}`,
    loadModel: () => 1,
    runInference: (batch, by) => batch.map(example => example + by),
    ...more,
  })
}

/** Metrics of a run, by namespace and name. */
async function metricsOf(run: BeamRun): Promise<Readonly<Record<string, unknown>>> {
  const { metrics, error } = await beamRun(run)
  assert.equal(error, undefined)
  return Object.fromEntries(metrics.map(({ namespace, name, value }) => [`${namespace} ${name}`, value]))
}

/** Fails on 0, in the middle of its results. */
function* lazily(batch: readonly number[], by: number): Generator<number> {
  for (const example of batch) {
    if (example === 0) throw new RangeError('a zero')
    yield example + by
  }
}

describe('metrics, as Beam tests them', () => {
  it('test_counted_metrics', async () => {
    const handler = () => plusOne({ getNumBytes: batch => 8 * batch.length }) as AnyHandler
    const metrics = await metricsOf({ input: [1, 5, 3, 10], handler, driver: { loadMs: 3 } })
    assert.equal(metrics['RunInference num_inferences'], 4)
    assert.deepEqual(metrics['RunInference inference_request_batch_size'], { count: 1, sum: 4, min: 4, max: 4 })
    assert.deepEqual(metrics['RunInference inference_request_batch_byte_size'], { count: 1, sum: 32, min: 32, max: 32 })
    assert.ok('RunInference model_byte_size' in metrics)
    assert.deepEqual(metrics['BatchElements batch_size'], { count: 1, sum: 4, min: 4, max: 4 })
    assert.deepEqual((metrics['BatchElements msec_per_batch'] as { count: number }).count, 1)
  })

  it('test_counted_metrics: without getNumBytes, bytes are those of the examples as they are copied', async () => {
    const metrics = await metricsOf({ input: [1, 5, 3, 10], handler: () => plusOne() as AnyHandler })
    const { count, sum } = metrics['RunInference inference_request_batch_byte_size'] as { count: number; sum: number }
    assert.ok(count === 1 && sum > 0, `${count}, ${sum}`)
  })

  it('test_timing_metrics: three batches of 3,000 µs, one load of 500 ms', async () => {
    const metrics = await metricsOf({
      input: [1, 5, 3, 10, 7],
      handler: () => plusOne() as AnyHandler,
      options: { batch: { maxSize: 2 } },
      driver: { durationOf: () => 3, loadMs: 500 },
    })
    const latency = { count: 3, sum: 9_000, min: 3_000, max: 3_000 }
    assert.deepEqual(metrics['RunInference inference_batch_latency_micro_secs'], latency)
    const load = { count: 1, sum: 500, min: 500, max: 500 }
    assert.deepEqual(metrics['RunInference load_model_latency_milli_secs'], load)
  })

  it("test_metrics_with_custom_namespace: the step's, else the handler's", async () => {
    const handler = () => plusOne({ metricsNamespace: 'ofHandler' }) as AnyHandler
    const input = [1, 5]
    assert.equal((await metricsOf({ input, handler }))['ofHandler num_inferences'], 2)
    const options = { metricsNamespace: 'ofStep' }
    const metrics = await metricsOf({ input, handler, options })
    assert.equal(metrics['ofStep num_inferences'], 2)
    assert.equal(metrics['ofHandler num_inferences'], undefined)
  })

  it('test_failed_batches_counter_no_failures: it is not there', async () => {
    const metrics = await metricsOf({ input: [1, 5, 3, 10], handler: () => plusOne() as AnyHandler })
    assert.ok(!('RunInference failed_batches_counter' in metrics))
  })

  it('test_increment_failed_batches_counter: once for each batch, also where a generator fails half-way (Q9)', async () => {
    const run = (runInference: Plus['runInference']) =>
      metricsOf({
        input: [1, 0, 3, 10, 0, 7],
        handler: () => plusOne({ runInference }) as AnyHandler,
        options: { batch: { maxSize: 2 }, exceptionHandling: { failureUnit: 'batch' } },
      })
    for (const runInference of [lazily, (batch: readonly number[], by: number) => [...lazily(batch, by)]]) {
      const metrics = await run(runInference)
      assert.equal(metrics['RunInference failed_batches_counter'], 2)
      assert.equal(metrics['RunInference num_inferences'], 2)
      assert.deepEqual(metrics['RunInference inference_request_batch_size'], { count: 1, sum: 2, min: 2, max: 2 })
      assert.deepEqual(metrics['BatchElements batch_size'], { count: 3, sum: 6, min: 2, max: 2 })
    }
  })

  it('a batch that is searched for its bad row is one failed batch, and its good rows are inferences', async () => {
    const metrics = await metricsOf({
      input: [1, 2, 3, 0],
      handler: () => plusOne({ runInference: lazily }) as AnyHandler,
    })
    assert.equal(metrics['RunInference failed_batches_counter'], 1)
    assert.equal(metrics['RunInference num_inferences'], 3)
  })

  it('test_run_inference_impl_with_keyed_examples_many_model_handlers_metrics', async () => {
    const handler = () =>
      keyed([
        { keys: ['0'], handler: plusOne({ runInference: batch => batch.map(() => 200) }) },
        { keys: ['1', '2'], handler: plusOne() },
      ]) as AnyHandler
    const input = [1, 5, 3, 10, 2, 4, 6, 8].map((example, i) => ({ $tuple: [String(i % 3), example] }))
    const metrics = await metricsOf({ input, handler })
    const of = (name: string) => metrics[`BeamML_KeyedModels ${name}`]
    assert.deepEqual([of('num_inferences'), of('0-_num_inferences'), of('1-_num_inferences')], [8, 3, 5])
    assert.equal((of('load_model_latency_milli_secs') as { count: number }).count, 2)
    assert.equal((of('0-_load_model_latency_milli_secs') as { count: number }).count, 1)
    assert.ok(!Object.keys(metrics).some(name => name.includes('failed_batches_counter')))
  })
})

describe('arguments of handlers, as Beam tests them', () => {
  const definitionOf = (more: Partial<Plus>) => plusOne(more).definition

  it('test_batch_elements_kwargs_all_args, _partial_args, _empty_when_no_args: what was given, and nothing else', () => {
    const all: NonNullable<Plus['batchElementsOptions']> = {
      minSize: 10,
      maxSize: 100,
      maxWaitMs: 30_000,
      sizeOf: example => example,
      maxTotalSize: 1_000,
      bucketBy: { lengthOf: example => example, boundaries: [16, 32] },
    }
    assert.deepEqual(definitionOf({ batchElementsOptions: all }).batch, all)
    assert.deepEqual(definitionOf({ batchElementsOptions: { minSize: 5 } }).batch, { minSize: 5 })
    assert.deepEqual(definitionOf({}).batch, {})
  })

  it("test_kwargs_are_passed_correctly: the handler's decide its batches, and the step's win, one by one", async () => {
    const sizes: number[] = []
    const handler = () =>
      plusOne({
        runInference: (batch, by) => {
          sizes.push(batch.length)
          return batch.map(example => example + by)
        },
        batchElementsOptions: { maxSize: 2, sizeOf: () => 1, maxTotalSize: 3 },
      }) as AnyHandler
    const input = [1, 2, 3, 4, 5]
    await beamRun({ input, handler })
    assert.deepEqual(sizes.splice(0), [2, 2, 1])
    await beamRun({ input, handler, options: { batch: { maxSize: 5 } } })
    assert.deepEqual(sizes, [3, 2])
  })

  it('test_run_inference_impl_sizing_with_edge_cases: what is larger than a batch may be goes alone', async () => {
    const sizes: number[][] = []
    const handler = () =>
      plusOne({
        runInference: (batch, by) => {
          sizes.push([...batch])
          return batch.map(example => example + by)
        },
        batchElementsOptions: { sizeOf: example => example, maxTotalSize: 5 },
      }) as AnyHandler
    await beamRun({ input: [0, 1, 9, 5, 0, 4, 2], handler })
    assert.deepEqual(sizes, [[0, 1], [9], [5], [0, 4], [2]])
  })

  it('test_batch_bucket_boundaries_without_batch_length_fn: kept, and refused by the rules of the graph', async () => {
    const batchElementsOptions = { bucketBy: { boundaries: [16, 32] } }
    assert.deepEqual(definitionOf({ batchElementsOptions }).batch, batchElementsOptions)
    const { error } = await beamRun({ input: [1], handler: () => plusOne({ batchElementsOptions }) as AnyHandler })
    assert.match(String(error), /TOPOLOGY_INVALID.*bucketBy has no lengthOf/s)
  })

  it('test_model_copies, test_env_vars_from_kwargs: kept, and left out where nothing is said', () => {
    const [{ model }] = definitionOf({ modelCopies: 4, envVars: { A: '1' } }).cohorts
    assert.deepEqual([model.modelCopies, model.envVars], [4, { A: '1' }])
    const [{ model: plain }] = definitionOf({}).cohorts
    assert.ok(!('modelCopies' in plain) && !('envVars' in plain))
  })
})
