// Beam's RemoteModelHandler tests, which are tests of retries here: each test has the name of Beam's.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { modelHandler } from 'kafka-run-inference'
import { beamRun } from '../../parity/beam-run.ts'
import type { AnyHandler } from '../../parity/handler-text.ts'

class Busy extends Error {
  override readonly name = 'Busy'
}

/** A service that is busy for some calls. */
function remote(busyCalls: number, isTransient = (error: unknown): boolean => error instanceof Busy) {
  let calls = 0
  const handler = (): AnyHandler =>
    modelHandler<number, number, number>({
      name: 'remote',
      loadModel: () => 1,
      runInference(batch, by) {
        calls++
        if (calls <= busyCalls) throw new Busy('try again')
        return batch.map(example => example + by)
      },
      isTransient,
    }) as AnyHandler
  return { handler, calls: () => calls }
}

const RETRY = { retry: { maxRetries: 3, firstDelayMs: 100 }, exceptionHandling: { failureUnit: 'batch' } } as const

describe('a model that is a service, as Beam tests it', () => {
  it('test_normal_model_execution', async () => {
    const { handler, calls } = remote(0)
    assert.deepEqual((await beamRun({ input: [1, 5], handler, options: RETRY })).main, [2, 6])
    assert.equal(calls(), 1)
  })

  it('test_works_on_retry', async () => {
    const { handler, calls } = remote(2)
    const { main, failures } = await beamRun({ input: [1, 5], handler, options: RETRY })
    assert.deepEqual(main, [2, 6])
    assert.deepEqual(failures, [])
    assert.equal(calls(), 3)
  })

  it('test_repeated_requests_fail: a service that stays busy is an outage, which is waited for (I10)', async () => {
    const { handler, calls } = remote(Number.POSITIVE_INFINITY)
    const { main, failures, error } = await beamRun({ input: [1], handler, options: RETRY })
    assert.deepEqual([main, failures, error], [[], [], undefined])
    // The four tries of the batch, then those that look whether the outage has ended.
    assert.ok(calls() > 4, `${calls()} calls`)
  })

  it('test_run_inference_impl… with a retry filter that says no: no retry', async () => {
    const { handler, calls } = remote(1, () => false)
    const { failures } = await beamRun({ input: [1], handler, options: RETRY })
    assert.equal(failures.length, 1)
    assert.equal(failures[0]!.errorType, 'Busy')
    assert.equal(calls(), 1)
  })
})
