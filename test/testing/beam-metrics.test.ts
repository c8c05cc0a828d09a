import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { beamMetrics } from '../../src/testing/beam-metrics.ts'

const told = (metrics: ReturnType<typeof beamMetrics>) =>
  Object.fromEntries(metrics.all().map(({ namespace, name, value }) => [`${namespace} ${name}`, value]))

suite("metrics as Beam's own", () => {
  test('nothing is there before its first value', () => {
    const metrics = beamMetrics()
    metrics.stepOpened('classify', 'RunInference', [''])
    assert.deepEqual(metrics.all(), [])
  })

  test('counters add up; distributions keep count, sum, least and most', () => {
    const metrics = beamMetrics()
    metrics.stepOpened('classify', 'mine', [''])
    metrics.batchSucceeded('classify', 0, 2, 16, 1, 0)
    metrics.batchSucceeded('classify', 0, 1, 8, 2.5, 0)
    metrics.batchSucceeded('classify', 0, 1, undefined, 0.0004, 0)
    metrics.batchFailed('classify', 0)
    metrics.modelLoaded('classify', 0, 499.7, 1_000)
    assert.deepEqual(told(metrics), {
      'mine failed_batches_counter': 1,
      'mine inference_batch_latency_micro_secs': { count: 3, sum: 3_500, min: 0, max: 2_500 },
      'mine inference_request_batch_byte_size': { count: 2, sum: 24, min: 8, max: 16 },
      'mine inference_request_batch_size': { count: 3, sum: 4, min: 1, max: 2 },
      'mine load_model_latency_milli_secs': { count: 1, sum: 500, min: 500, max: 500 },
      'mine model_byte_size': { count: 1, sum: 1_000, min: 1_000, max: 1_000 },
      'mine num_inferences': 4,
    })
  })

  test('models by key count under their own prefix, and all together without one', () => {
    const metrics = beamMetrics()
    metrics.stepOpened('classify', 'BeamML_KeyedModels', ['k1', 'k2'])
    metrics.batchSucceeded('classify', 0, 2, undefined, 1, 0)
    metrics.batchFailed('classify', 1)
    const { 'BeamML_KeyedModels num_inferences': all, 'BeamML_KeyedModels k1-_num_inferences': ofOne } = told(metrics)
    assert.deepEqual([all, ofOne], [2, 2])
    assert.equal(told(metrics)['BeamML_KeyedModels k2-_failed_batches_counter'], 1)
    assert.equal(told(metrics)['BeamML_KeyedModels k2-_num_inferences'], undefined)
  })

  test('milliseconds of batches are whole, and what is left over is carried on', () => {
    const metrics = beamMetrics()
    for (const ms of [0.6, 0.6, 0.6]) metrics.batchEnded('classify', ms)
    metrics.batchDispatched('classify', 'count', 5, { firstMs: 0, allMs: 0 }, 0)
    assert.deepEqual(told(metrics), {
      'BatchElements batch_size': { count: 1, sum: 5, min: 5, max: 5 },
      'BatchElements msec_per_batch': { count: 3, sum: 1, min: 0, max: 1 },
    })
  })

  test('steps are told apart', () => {
    const metrics = beamMetrics()
    for (const step of ['a', 'b']) {
      metrics.stepOpened(step, 'RunInference', [''])
      metrics.batchFailed(step, 0)
    }
    assert.deepEqual(
      metrics.all().map(({ step, value }) => [step, value]),
      [
        ['a', 1],
        ['b', 1],
      ],
    )
  })
})
