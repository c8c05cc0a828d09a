import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { float32, int64, onnx } from 'kafka-run-inference'
import { handlerProblems } from '../src/handler-problems.ts'
import { problemText } from '../src/problem.ts'

const fine = { model: 'm.onnx', input: float32(2), output: float32(2) }
const told = (settings: object) =>
  handlerProblems('step "s"', onnx({ ...fine, ...settings }).definition.cohorts[0].model, 1000).map(problemText)

describe('settings of a handler', () => {
  test('in range are no problem', () => {
    const sessionOptions = {
      graphOptimizationLevel: 'layout',
      enableCpuMemArena: false,
      enableMemPattern: true,
      executionMode: 'parallel',
      interOpNumThreads: 2,
      config: { 'session.use_env_allocators': '1' },
    }
    const providers = ['tensorrt', 'cuda', 'webgpu', 'cpu']
    assert.deepEqual(told({ sessionOptions, providers, warmUpRows: [1, 1000], timeoutMs: 0.5 }), [])
  })

  /** Each: settings, and what must be said of them. */
  const wrong: readonly (readonly [object, RegExp])[] = [
    [{ model: '' }, /names no model file/],
    [{ model: undefined }, /names no model file/],
    [{ model: 7 }, /names no model file/],
    [{ providers: [] }, /providers cannot be used, expected a list of cpu, cuda, tensorrt, webgpu/],
    [{ providers: ['cpu', 'dml'] }, /providers cannot be used, .* got "dml"/],
    [{ providerPolicy: 'maybe' }, /providerPolicy cannot be used, expected required or preferred, got "maybe"/],
    [{ isolation: 'fork' }, /isolation cannot be used, expected thread or process, got "fork"/],
    [{ intraOpNumThreads: 0 }, /intraOpNumThreads cannot be used, expected a whole number from 1, got 0/],
    [{ warmUpRows: [] }, /warmUpRows cannot be used, .* from 1 to 1000, got \[\]/],
    [{ warmUpRows: [2, 0] }, /warmUpRows .* got \[2,0\]/],
    [{ warmUpRows: [1001] }, /warmUpRows .* got \[1001\]/],
    [{ warmUpRows: 2 }, /warmUpRows .* got 2/],
    [{ timeoutMs: 0 }, /timeoutMs cannot be used, expected milliseconds above 0, got 0/],
    [{ timeoutMs: Number.NaN }, /timeoutMs cannot be used/],
    [{ timeoutMs: 10, isolation: 'thread' }, /timeoutMs needs a process.*expected isolation: 'process', got "thread"/],
    [{ input: { dtype: 'int8', shape: [] } }, /input "": the dtype cannot be used, expected one of float16, .*string/],
    [{ output: { dtype: 'int64', shape: [0] } }, /output "": the shape cannot be used, .* got \[0\]/],
    [{ input: { dtype: 'int64', shape: [null, null] } }, /at most one open dimension/],
    [
      { sessionOptions: { graphOptimizationLevel: 'most' } },
      /graphOptimizationLevel .* one of disabled, .* got "most"/,
    ],
    [{ sessionOptions: { executionMode: 'serial' } }, /executionMode .* one of sequential, parallel/],
    [{ sessionOptions: { enableMemPattern: 1 } }, /enableMemPattern .* true or false, got 1/],
    [{ sessionOptions: { interOpNumThreads: -1 } }, /interOpNumThreads .* got -1/],
    [{ sessionOptions: { config: { 'session.x': 1 } } }, /config cannot be used, expected texts/],
    [{ sessionOptions: { config: { '': 'x' } } }, /config cannot be used/],
    [{ sessionOptions: { enableMemPatern: true } }, /no option "enableMemPatern". Did you mean enableMemPattern\?/],
    [{ sessionOptions: { intraOpNumThreads: 2 } }, /no option "intraOpNumThreads". It is a setting of onnx\(\) itself/],
    [{ sessionOptions: { freeDimensionOverrides: {} } }, /onnxruntime-node does not read it/],
  ]
  for (const [settings, said] of wrong) {
    test(`are refused: ${JSON.stringify(settings)}`, () => {
      const problems = told(settings)
      assert.equal(problems.length, 1, problems.join('\n'))
      assert.match(problems[0]!, said)
      assert.match(problems[0]!, /^step "s"/)
    })
  }

  test('named tensors: at least one of each side', () => {
    const [{ model }] = onnx({ model: 'm', inputs: {}, outputs: {} }).definition.cohorts
    assert.deepEqual(handlerProblems('step "s"', model, 1000).map(problemText), [
      'step "s": the handler declares no inputs. Declare at least one in inputs',
      'step "s": the handler declares no outputs. Declare at least one in outputs',
    ])
  })

  test('that no handler can be made of are refused by onnx() itself, all at once', () => {
    const open = onnx as (settings: object) => unknown
    assert.throws(() => open({ model: 'm.onnx' }), /input declares no tensor.*\n.*output declares no tensor/)
    assert.throws(
      () => open({ model: 'm.onnx', inputs: { x: float32 }, outputs: { y: int64() }, provider: 'cpu' }),
      /no setting "provider". Did you mean providers\?\n.*inputs.x declares no tensor.*got a function/,
    )
  })
})
