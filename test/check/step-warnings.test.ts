// What `check` says of steps that run, but not as they look.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { float32, from, json, keyed, modelHandler, onnx, topology, utf8 } from 'kafka-run-inference'
import { createFindings } from '../../src/check/report.ts'
import { warnOfSizes, warnOfSteps } from '../../src/check/step-warnings.ts'
import { loadSettings } from '../../src/load-settings.ts'
import type { ModelHandler } from '../../src/models/model-handler.ts'
import { problemText } from '../../src/problem.ts'
import type { Stream } from '../../src/stream.ts'

const pairs = from('pairs', { key: utf8(), value: json<number>() })
const echo = modelHandler({
  name: 'echo',
  loadModel: () => undefined,
  runInference: (batch: readonly number[]) => batch,
})
const perKey = keyed([{ keys: ['a'], handler: echo }])
const byValue = pairs.map(({ value }) => value).keyBy(String)

function warningsOf(stream: Stream<unknown>, handler: ModelHandler<never, unknown>, options = {}): string[] {
  const { steps } = topology('t', [
    stream
      .runInference('s', handler as never, options)
      .map(() => 1)
      .to('out', json()),
  ])
  const findings = createFindings()
  warnOfSteps(steps, findings)
  warnOfSizes(steps, loadSettings({ env: { KRI_BROKERS: 'none:1', KRI_LANES: '1' } }), findings)
  return findings.warnings.map(problemText)
}

test('nothing is said of steps that do as they look', () => {
  assert.deepEqual(warningsOf(pairs, perKey), [])
  assert.deepEqual(warningsOf(pairs, keyed(echo), { batch: { maxSize: 4 } }), [])
  assert.deepEqual(warningsOf(byValue, keyed(echo)), [])
  assert.deepEqual(
    warningsOf(
      pairs.map(({ value }) => [value]),
      echo.withNoBatching(),
    ),
    [],
  )
})

test('batch options beside withNoBatching are ignored', () => {
  const [warning, ...others] = warningsOf(pairs, echo.withNoBatching(), { batch: { maxSize: 4 } })
  assert.match(warning!, /step "s": withNoBatching\(\) takes each element as a batch.*got batch\.maxSize/)
  assert.deepEqual(others, [])
})

test('what the handlers of mappings ask for is ignored, as in Beam', () => {
  const asking = modelHandler({
    name: 'asking',
    batchElementsOptions: { maxSize: 4 },
    loadModel: () => undefined,
    runInference: (batch: readonly number[]) => batch,
  })
  const hinting = onnx({ model: 'm.onnx', input: float32(1), output: float32(1) }).withResourceHints({ minRam: 1 })
  assert.match(
    warningsOf(pairs, keyed([{ keys: ['a'], handler: asking }])).join(),
    /mapping 0 \(asking\), got batch\.maxSize\. Ask for it in the options of the step/,
  )
  assert.match(
    warningsOf(pairs, keyed([{ keys: ['a'], handler: hinting }])).join(),
    /mapping 0 \(m\.onnx\), got resourceHints\.minRam/,
  )
})

test('keys of keyBy bring a per-key model no order', () => {
  const [warning, ...others] = warningsOf(byValue, perKey)
  assert.match(warning!, /step "s": its keys are set by keyBy\(\).*repartition\(topic, fn, codecs\)/)
  assert.deepEqual(others, [])
  const again = byValue.map(({ value }) => value).repartition('keyed', String, { key: utf8(), value: json<number>() })
  assert.deepEqual(warningsOf(again, perKey), [])
})

test('more copies of a model than lanes cannot be', () => {
  const copied = modelHandler({
    name: 'copied',
    modelCopies: 3,
    loadModel: () => undefined,
    runInference: (batch: readonly number[]) => batch,
  })
  assert.match(warningsOf(pairs, copied).join(), /fewer lanes than copies .* up to the number of lanes \(1\), got 3/)
})
