// Beam's RunInferenceBaseTest, shared models: each test has the name of Beam's.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { from, json, modelHandler, type StepOptions, topology } from 'kafka-run-inference'
import { createTopologyDriver, type DriverOptions } from 'kafka-run-inference/testing'

interface Counter {
  count: number
}

/** Gives 1, 2, 3 …, whatever it is given; each loaded copy counts for itself. */
function counting(name: string, modelCopies?: number) {
  let loads = 0
  const handler = modelHandler<unknown, number, Counter>({
    name,
    loadModel() {
      loads++
      return { count: 0 }
    },
    runInference: (batch, model) => batch.map(() => ++model.count),
    ...(modelCopies === undefined ? {} : { modelCopies }),
  })
  return { handler, loads: () => loads }
}

type Handler = ReturnType<typeof counting>['handler']

/** Three records to the first step, then three to the second. */
async function twoSteps(first: Handler, second: Handler, options: StepOptions = {}): Promise<readonly unknown[]> {
  const stepOf = (name: string, handler: Handler) =>
    from(`in-${name}`, json<unknown>()).runInference(name, handler, options).to(`out-${name}`, json<number>())
  const driver = await createTopologyDriver(topology('sharing', [stepOf('a', first), stepOf('b', second)]))
  const three = [{ value: 0 }, { value: 0 }, { value: 0 }]
  await driver.pipe('in-a', three)
  await driver.advance(1_000)
  await driver.pipe('in-b', three)
  await driver.advance(1_000)
  const results = [...(await driver.read('out-a')), ...(await driver.read('out-b'))].map(({ value }) => value)
  await driver.stop()
  return results
}

async function oneStep(handler: Handler, records: number, options: DriverOptions): Promise<readonly unknown[]> {
  const step = from('in', json<unknown>()).runInference('count', handler, { batch: { maxSize: 1 } })
  const driver = await createTopologyDriver(topology('copies', [step.to('out', json<number>())]), options)
  await driver.pipe(
    'in',
    Array.from({ length: records }, () => ({ value: 0 })),
  )
  await driver.advance(1_000)
  const results = (await driver.read('out')).map(({ value }) => value)
  await driver.stop()
  return results
}

describe('shared models, as Beam tests them', () => {
  it('test_run_inference_loads_different_models: two steps of one handler have models of their own', async () => {
    const { handler, loads } = counting('one')
    assert.deepEqual(await twoSteps(handler, handler), [1, 2, 3, 1, 2, 3])
    assert.equal(loads(), 2)
  })

  it('test_runinference_loads_same_model_with_identifier_multi_process_shared: the second step goes on counting', async () => {
    const { handler, loads } = counting('one')
    assert.deepEqual(await twoSteps(handler, handler, { modelIdentifier: 'same' }), [1, 2, 3, 4, 5, 6])
    assert.equal(loads(), 1)
  })

  it('test_run_inference_impl_multi_process_shared_incrementing_multi_copy: each copy counts for itself', async () => {
    const { handler, loads } = counting('copies', 4)
    const results = await oneStep(handler, 16, { lanes: 4 })
    assert.equal(loads(), 4)
    assert.equal(results.length, 16)
    // Which copy is free takes the next batch; none has counted further than it was called.
    const calls = new Map<unknown, number>()
    for (const result of results) calls.set(result, (calls.get(result) ?? 0) + 1)
    assert.ok([...calls.values()].every(copies => copies <= 4))
    assert.equal(calls.get(1), 4)
  })

  it('test_run_inference_impl_simple_examples_multi_process_shared_multi_copy: as many lanes hold it as copies were asked for', async () => {
    const { handler, loads } = counting('copies', 2)
    await oneStep(handler, 4, { lanes: 4 })
    assert.equal(loads(), 2)
  })
})
