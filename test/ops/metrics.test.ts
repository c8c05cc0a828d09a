import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { suite, test } from 'node:test'
import { WORKER_METRICS } from '../../src/cli/worker-endpoints.ts'
import { MAX_MODEL_LABELS } from '../../src/ops/metric-labels.ts'
import { createMetrics } from '../../src/ops/metrics.ts'

const point = { stage: 'preprocess', step: 'classify', node: 'map#1' } as const

/** Everything that can be counted, counted once. */
function exercised() {
  const metrics = createMetrics()
  metrics.stepOpened('classify', 'BeamML_KeyedModels', ['k1', 'k2'])
  metrics.stepOpened('check', 'mine', [''])
  // On trial beside k1: the series with the most labels.
  metrics.modelNamed('classify', 2, 'new.onnx', 'new')
  metrics.batchSucceeded('classify', 2, 6, 96, 0, 0, 'new.onnx')
  metrics.batchFailed('classify', 2)
  metrics.modelLoaded('classify', 2, 20, 12_345)
  metrics.modelEvicted('classify', 2)
  metrics.modelRefreshFailed('classify', 2, 'MODEL_UNUSABLE')
  metrics.blockReceived('in', 100, 4_000)
  metrics.childrenMade('in', 12)
  metrics.slowFunction(point, -1, 150)
  metrics.slowFunction(point, 1, 250)
  metrics.batchDispatched('classify', 'idle', 64, { firstMs: 3, allMs: 128 }, 40)
  metrics.batchEnded('classify', 2.5)
  metrics.batchAdaptive('classify', 27)
  metrics.batchSucceeded('classify', 0, 64, 16_384, 1.5, 0.25)
  metrics.batchSucceeded('classify', 0, 36, 9_216, 0.5, 0.25)
  metrics.batchSucceeded('classify', 1, 5, undefined, 0.5, 0.25)
  metrics.batchSucceeded('check', 0, 7, 70, 0.5, 0.25)
  metrics.batchFailed('classify', 1)
  metrics.batchCeiling('classify', 128)
  metrics.modelLoaded('classify', 0, 41.7, 12_345)
  metrics.modelEvicted('classify', 1)
  metrics.modelsResident('classify', 0, 2)
  metrics.modelSwapEnded('classify', 'served', 1_200)
  metrics.modelRevision('classify', 0, 3, true)
  metrics.modelRefreshFailed('classify', 0, 'MODEL_UNUSABLE')
  metrics.modelTrial('classify', 1, 10)
  metrics.modelTrialGivenUp('classify', 1, 'latency')
  metrics.shadowBegan('classify', 0)
  metrics.shadowRan('classify', 0, 2)
  metrics.shadowCompared('classify', 0, { same: 60, different: 4, failed: 0 }, 0.5)
  metrics.shadowCompared('classify', 0, { same: 0, different: 1, failed: 2 }, 0.75)
  metrics.shadowDropped('classify', 0, 64, 'full')
  metrics.shadowUnwritten('classify', 0, 3)
  metrics.watchModels(() => [
    { step: 'classify', modelId: 'm.onnx', provider: 'webgpu', partlyOnCpu: false, lanes: 1, refusedProviders: [] },
    { step: 'classify', modelId: 'm.onnx', provider: 'cpu', partlyOnCpu: false, lanes: 3, refusedProviders: [] },
    { step: 'classify', modelId: 'n.onnx', provider: 'cpu', partlyOnCpu: false, lanes: 2, refusedProviders: [] },
  ])
  metrics.deadLetters('preprocess', 'classify', 'DECODE_MALFORMED', 2)
  metrics.dropped('filter#1', 3)
  metrics.timestampsClamped(4)
  metrics.unitAcknowledged('in', 95, 20)
  metrics.committed('in', 1, 95)
  metrics.transactionBegan('in')
  metrics.transactionBegan('in')
  metrics.transactionEnded('in', 'committed', 40)
  metrics.inFlight(5, 500)
  metrics.lag('in', 1, 7, 1.5)
  metrics.breakerState('classify', 'open')
  metrics.halted(true)
  metrics.retried('batch', 'classify')
  metrics.retried('registry')
  metrics.lost('in', 6)
  metrics.watchLanes([{ id: 0, occupied: 2, busyMs: () => 1_500, restarts: { crash: 3, timeout: 1 } }])
  metrics.watchReady(() => true)
  metrics.stalled(250)
  metrics.stalled(20)
  return metrics
}

suite('metrics', () => {
  test('are told in the exposition format', async () => {
    const metrics = exercised()
    const text = await metrics.text()
    for (const line of [
      'num_inferences{beam_namespace="BeamML_KeyedModels",step="classify",model="k1"} 100',
      'num_inferences{beam_namespace="BeamML_KeyedModels",step="classify",model="k2"} 5',
      'num_inferences{beam_namespace="mine",step="check"} 7',
      'failed_batches_counter{beam_namespace="BeamML_KeyedModels",step="classify",model="k2"} 1',
      'inference_request_batch_size_sum{beam_namespace="BeamML_KeyedModels",step="classify",model="k1"} 100',
      'batch_size_sum{beam_namespace="BatchElements",step="classify"} 64',
      'msec_per_batch_sum{beam_namespace="BatchElements",step="classify"} 2.5',
      'kri_children_total{topic="in"} 12',
      'kri_slow_function_calls_total{step="classify",function="map#1"} 1',
      'kri_slow_function_calls_total{step="classify",function="map#1 preprocess[1]"} 1',
      'kri_slow_function_seconds_total{step="classify",function="map#1 preprocess[1]"} 0.25',
      'kri_model_loads_total{step="classify",model="k1"} 1',
      'kri_model_evictions_total{step="classify",model="k2"} 1',
      'kri_models_resident{step="classify",lane="0"} 2',
      'kri_shadow_rows_total{step="classify",model="k1",outcome="same"} 60',
      'kri_shadow_rows_total{step="classify",model="k1",outcome="different"} 5',
      'kri_shadow_rows_total{step="classify",model="k1",outcome="failed"} 2',
      'kri_shadow_dropped_rows_total{step="classify",model="k1",reason="full"} 64',
      'kri_shadow_unwritten_rows_total{step="classify",model="k1"} 3',
      'kri_shadow_max_difference{step="classify",model="k1"} 0.75',
      'kri_shadow_compute_seconds_sum{step="classify",model="k1"} 0.002',
      'kri_halted 1',
      'kri_rows_dispatched_total{step="classify"} 64',
      'kri_row_wait_seconds_total{step="classify"} 0.128',
      'kri_padding_bytes_total{step="classify"} 40',
      'kri_batch_adaptive_rows{step="classify"} 27',
      'inference_request_batch_byte_size_count{beam_namespace="BeamML_KeyedModels",step="classify",model="k1"} 2',
      'inference_batch_latency_micro_secs_sum{beam_namespace="BeamML_KeyedModels",step="classify",model="k1"} 2000',
      'load_model_latency_milli_secs{beam_namespace="BeamML_KeyedModels",step="classify",model="k1"} 42',
      'model_byte_size{beam_namespace="BeamML_KeyedModels",step="classify",model="k1"} 12345',
      'kri_records_in_total{topic="in"} 100',
      'kri_records_done_total{topic="in"} 95',
      'kri_unit_seconds_sum{topic="in"} 0.02',
      'kri_batch_compute_seconds_sum{step="classify"} 0.0025',
      'kri_batch_queue_seconds_sum{step="classify"} 0.00075',
      'kri_batch_wait_seconds_sum{step="classify"} 0.003',
      'kri_dead_letters_total{stage="preprocess",step="classify",code="DECODE_MALFORMED"} 2',
      'kri_records_dropped_total{node="filter#1"} 3',
      'kri_records_lost_total{topic="in"} 6',
      'kri_timestamps_clamped_total 4',
      'kri_ready 1',
      'kri_batches_total{step="classify",reason="idle"} 1',
      'kri_model_provider{step="classify",provider="webgpu"} 1',
      'kri_model_provider{step="classify",provider="cpu"} 5',
      'kri_breaker_state{step="classify",state="open"} 1',
      'kri_breaker_state{step="classify",state="closed"} 0',
      'kri_lane_occupied{lane="0"} 2',
      'kri_lane_busy_seconds{lane="0"} 1.5',
      'kri_lane_restarts_total{lane="0",reason="crash"} 3',
      'kri_lane_restarts_total{lane="0",reason="timeout"} 1',
      'kri_in_flight_rows 5',
      'kri_in_flight_bytes 500',
      'kri_committed_offset{topic="in",partition="1"} 95',
      'kri_transactions_total{topic="in",outcome="committed"} 1',
      'kri_transaction_seconds_sum{topic="in"} 0.04',
      'kri_transactions_open{topic="in"} 1',
      'kri_lag_records{topic="in",partition="1"} 7',
      'kri_lag_seconds{topic="in",partition="1"} 1.5',
      'kri_commits_total{topic="in"} 1',
      'kri_retries_total{what="registry"} 1',
      'kri_retries_total{what="batch",step="classify"} 1',
      'kri_event_loop_stall_seconds 0.25',
    ]) {
      assert.ok(text.split('\n').includes(line), `${line}\n${text}`)
    }
    assert.match(metrics.contentType, /^text\/plain/)
    assert.match(await metrics.text(), /^kri_event_loop_stall_seconds 0$/m, 'the longest stall is told once')
  })

  test('a partition that is gone is told no more', async () => {
    const metrics = exercised()
    metrics.forgetPartition('in', 1)
    assert.doesNotMatch(await metrics.text(), /partition="1"/)
  })

  test('thousands of models by key are not thousands of series: those behind the first share one', async () => {
    const metrics = createMetrics()
    const keys = Array.from({ length: 3_000 }, (_, i) => `k${i}`)
    metrics.stepOpened('classify', 'BeamML_KeyedModels', keys)
    for (const cohort of keys.keys()) metrics.batchSucceeded('classify', cohort, 1, 8, 1, 0)
    const samples = (await metrics.text()).split('\n').filter(line => line.startsWith('num_inferences{'))
    assert.equal(samples.length, MAX_MODEL_LABELS + 1)
    const other = `num_inferences{beam_namespace="BeamML_KeyedModels",step="classify",model="other"}`
    assert.equal(samples.at(-1), `${other} ${keys.length - MAX_MODEL_LABELS}`)
  })

  test('a published model is told by its name', async () => {
    const metrics = createMetrics()
    metrics.stepOpened('classify', 'BeamML_Onnx', [''])
    metrics.modelNamed('classify', 0, 'v1.onnx', 'digits-v1')
    metrics.batchFailed('classify', 0)
    metrics.modelNamed('classify', 0, 'v2.onnx', 'digits-v2')
    metrics.batchSucceeded('classify', 0, 3, 12, 1, 0, 'v1.onnx')
    metrics.batchSucceeded('classify', 0, 5, 20, 1, 0, 'v2.onnx')
    const lines = (await metrics.text()).split('\n')
    const of = (model: string) => `{beam_namespace="BeamML_Onnx",step="classify",model="${model}"}`
    assert.ok(lines.includes(`failed_batches_counter${of('digits-v1')} 1`))
    assert.ok(lines.includes(`num_inferences${of('digits-v1')} 3`), 'a call that began before the change')
    assert.ok(lines.includes(`num_inferences${of('digits-v2')} 5`))
  })

  test('models per key keep the label of their key, whatever is published', async () => {
    const metrics = createMetrics()
    metrics.stepOpened('classify', 'BeamML_KeyedModels', ['k1', 'k2'])
    metrics.modelNamed('classify', 1, 'v2.onnx', 'digits-v2')
    metrics.batchFailed('classify', 1)
    metrics.modelRevision('classify', 1, 4, false)
    const lines = (await metrics.text()).split('\n')
    const labels = 'beam_namespace="BeamML_KeyedModels",step="classify",model="k2"'
    assert.ok(lines.includes(`failed_batches_counter{${labels}} 1`))
    assert.ok(lines.includes('kri_model_revision{step="classify",model="k2"} 4'))
    assert.ok(lines.includes('kri_model_current{step="classify",model="k2"} 0'))
  })

  test('a model on trial is told apart from the one beside it, until the trial is over', async () => {
    const metrics = createMetrics()
    metrics.stepOpened('classify', 'BeamML_Onnx', [''])
    metrics.modelNamed('classify', 0, 'v1.onnx', 'digits')
    metrics.modelNamed('classify', 1, 'v2.onnx', 'digits')
    metrics.modelTrial('classify', 0, 10)
    metrics.batchSucceeded('classify', 0, 9, 36, 1, 0, 'v1.onnx')
    metrics.batchSucceeded('classify', 1, 1, 4, 1, 0, 'v2.onnx')
    // These had waited for the candidate before.
    metrics.batchSucceeded('classify', 1, 5, 20, 1, 0, 'v1.onnx')
    const labels = 'beam_namespace="BeamML_Onnx",step="classify",model="digits"'
    const lines = async () => (await metrics.text()).split('\n')
    const running = await lines()
    assert.ok(running.includes(`num_inferences{${labels}} 14`))
    assert.ok(running.includes(`num_inferences{${labels},track="candidate"} 1`))
    assert.ok(running.includes('kri_model_trial_percent{step="classify"} 10'))
    metrics.modelNamed('classify', 0, 'v2.onnx', 'digits')
    metrics.modelTrial('classify', 0, 0)
    metrics.batchSucceeded('classify', 1, 3, 12, 1, 0, 'v2.onnx')
    const over = await lines()
    assert.ok(over.includes(`num_inferences{${labels}} 17`))
    assert.ok(over.includes('kri_model_trial_percent{step="classify"} 0'))
  })

  test('two instances in one process do not share numbers', async () => {
    exercised()
    assert.doesNotMatch(await createMetrics().text(), /num_inferences\{/)
  })

  test('docs/metrics.md lists exactly these: name, kind, labels, meaning', async () => {
    const metrics = exercised()
    const text = await metrics.text()
    const docs = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8')
    const documented = docs
      .split('\n')
      .filter(line => line.startsWith('| `'))
      .map(line =>
        line
          .slice(1, -1)
          .split('|')
          .map(cell => cell.trim().replaceAll('`', ''))
          .join(' | '),
      )
    const labelsOf = (name: string) => {
      const sample = new RegExp(`^${name}(?:_count)?(?:\\{([^}]*)\\})? `, 'm').exec(text)
      return [...(sample?.[1] ?? '').matchAll(/(\w+)=/g)].map(match => match[1]).join(', ')
    }
    const actual = (await metrics.list()).map(
      ({ name, type, help }) => `${name} | ${type} | ${labelsOf(name)} | ${help}`,
    )
    const ofWorkers = WORKER_METRICS.map(({ name, type, help }) => `${name} | ${type} | worker | ${help}`)
    assert.deepEqual(documented.toSorted(), [...actual, ...ofWorkers].toSorted())
  })
})
