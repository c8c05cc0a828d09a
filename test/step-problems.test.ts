import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { float32, from, json, keyed, modelHandler, onnx, type StepOptions, topology, utf8 } from 'kafka-run-inference'
import type { CustomHandler } from '../src/models/custom-handler.ts'
import type { ModelHandler } from '../src/models/model-handler.ts'
import { problemText } from '../src/problem.ts'
import { topologyProblems } from '../src/topology-problems.ts'

type AnyHandler = ModelHandler<never, unknown>

const numbers = from('in', json<number>())
const pairs = from('pairs', { key: utf8(), value: json<number>() })
const fine: CustomHandler<number, number, undefined> = {
  name: 'echo',
  loadModel: () => undefined,
  runInference: batch => batch,
}
const echo = modelHandler(fine)
const custom = (change: object) => modelHandler({ ...fine, ...change } as typeof fine)
const unnamed = onnx({ input: float32(1), output: float32(1) })
const other = (modelId: string) => custom({ modelId })

const stepsOf = (steps: readonly (readonly [AnyHandler, object])[]) =>
  topologyProblems(
    topology(
      't',
      steps.map(([handler, options], i) => {
        const input = handler.definition.keyed ? pairs : numbers
        return input
          .runInference(`s${i}`, handler as never, options as StepOptions)
          .map(() => 1)
          .to(`out${i}`, json())
      }),
    ),
  ).map(problemText)
const withOptions = (options: object, handler: AnyHandler = echo) => stepsOf([[handler, options]])

function tell(cases: readonly (readonly [readonly string[], RegExp])[]): void {
  for (const [problems, expected] of cases) {
    it(`say: ${expected.source}`, () => {
      assert.equal(problems.length, 1, problems.join('\n') || 'no problems')
      assert.match(problems[0]!, expected)
    })
  }
}

describe('the problems of the options of a step', () => {
  class Point {}
  const circle: Record<string, unknown> = {}
  circle.self = circle
  const late = echo.withPreprocess(async (n: number) => n, { concurrency: 4 })
  tell([
    [withOptions({ bach: {} }), /step "s0": there is no option "bach"\. Did you mean batch\?/],
    [withOptions({ modelMetadata: 'yes' }), /modelMetadata cannot be used, expected true or false, got "yes"/],
    [withOptions({}, unnamed), /the handler names no model file\. .* give the step modelMetadata: true/],
    [withOptions({ modelMetadata: false }, unnamed), /the handler names no model file/],
    [withOptions({ modelIdentifier: '' }), /modelIdentifier cannot be used, expected a text, got ""/],
    [withOptions({ metricsNamespace: 5 }), /metricsNamespace cannot be used, expected a text, got 5/],
    [withOptions({ inferenceArgs: [1] }), /inferenceArgs cannot be used, expected arguments by name.* got \[1\]/],
    [withOptions({ inferenceArgs: { f: () => 1 } }), /inferenceArgs\.f cannot be copied to a lane, .* got a function/],
    [
      withOptions({ inferenceArgs: { a: [{ b: new Point() }] } }),
      /inferenceArgs\.a\[0\]\.b .* an object of class Point/,
    ],
    [withOptions({ inferenceArgs: circle }), /inferenceArgs\.self .* an object that contains itself/],
    [withOptions({ resourceHints: { minRam: 'much' } }), /minRam cannot be used, .* got "much"/],
    [withOptions({ functions: 'thread' }), /functions cannot be used, expected main or worker, got "thread"/],
    [withOptions({ functions: 'worker', functionTimeoutMs: 0 }), /functionTimeoutMs .* milliseconds above 0, got 0/],
    [
      withOptions(
        { functionTimeoutMs: 5 },
        echo.withPostprocess(n => n),
      ),
      /functionTimeoutMs needs a worker: .* expected functions: 'worker', got "main"/,
    ],
    [withOptions({ exceptionHandling: 'all' }), /exceptionHandling: .* expected \{ only, threshold, failureUnit \}/],
    [withOptions({ exceptionHandling: { treshold: 1 } }), /no option "treshold"\. Did you mean threshold\?/],
    [withOptions({ exceptionHandling: { only: [''] } }), /only cannot be used, expected a list of error classes/],
    [withOptions({ exceptionHandling: { only: [Point] } }), /only cannot be used/],
    [withOptions({ exceptionHandling: { threshold: 2 } }), /threshold .* a share from 0 to 1, got 2/],
    [withOptions({ exceptionHandling: { failureUnit: 'row' } }), /failureUnit .* bisect or batch, got "row"/],
    [withOptions({ retry: 3 }), /retry: .* expected \{ maxRetries, firstDelayMs, maxDelayMs \}, got 3/],
    [withOptions({ retry: { retries: 3 } }), /there is no option "retries"/],
    [withOptions({ retry: { maxRetries: -1 } }), /maxRetries .* a whole number from 0, got -1/],
    [withOptions({ retry: { firstDelayMs: 0 } }), /firstDelayMs .* milliseconds above 0, got 0/],
    [withOptions({ retry: { firstDelayMs: 9, maxDelayMs: 8 } }), /maxDelayMs .* from firstDelayMs \(9\), got 8/],
    [withOptions({}, echo.withPreprocess(undefined as never)), /a function of withPreprocess is no function/],
    [
      withOptions(
        {},
        echo.withPostprocess(async n => n),
      ),
      /asynchronous function of withPostprocess does not say how many/,
    ],
    [
      withOptions(
        {},
        echo.withPreprocess(async (n: number) => n, { concurrency: 0 }),
      ),
      /concurrency of withPreprocess cannot be used, expected a whole number from 1, got 0/,
    ],
    [
      withOptions(
        {},
        echo.withPreprocess(async (n: number) => n, { concurrency: 1, timeoutMs: -1 }),
      ),
      /timeoutMs of withPreprocess cannot be used, expected milliseconds above 0, got -1/,
    ],
  ])

  it('are none in range', () => {
    const inferenceArgs = { text: 'a', list: [1, 2n, null], inner: { rows: new Float32Array(2) } }
    assert.deepEqual(withOptions({ modelMetadata: true }, unnamed), [])
    assert.deepEqual(withOptions({ inferenceArgs, modelIdentifier: 'm', metricsNamespace: 'n' }), [])
    assert.deepEqual(withOptions({ resourceHints: { minRam: '2 GB', accelerator: 'type:t4;count:1' } }), [])
    assert.deepEqual(
      withOptions(
        { functions: 'worker', functionTimeoutMs: 5 },
        echo.withPostprocess(n => n),
      ),
      [],
    )
    assert.deepEqual(withOptions({ functionTimeoutMs: 5 }, late), [])
    const only = ['TypeError', Error, RangeError]
    assert.deepEqual(withOptions({ exceptionHandling: { only, threshold: 0.5, failureUnit: 'batch' } }), [])
    assert.deepEqual(withOptions({ retry: { maxRetries: 0, firstDelayMs: 5, maxDelayMs: 5 } }), [])
  })
})

describe('the problems of per-key handlers', () => {
  const mapped = (keys: readonly unknown[], limits = {}) => withOptions({}, keyed([{ keys, handler: echo }], limits))
  tell([
    [mapped([]), /step "s0", keyed\(\[…\]\): mapping 0 \(echo\) has no keys/],
    [mapped([{ k: 1 }]), /a key of mapping 0 \(echo\) cannot be used, expected a string, number, .* got \{"k":1\}/],
    [mapped([null]), /a key of mapping 0 .* got null/],
    [mapped([Number.NaN]), /a key of mapping 0 .* got NaN/],
    [mapped(['a', 'a']), /key "a" is in mapping 0 \(echo\) twice/],
    [
      withOptions(
        {},
        keyed([
          { keys: ['a', 'b'], handler: echo },
          { keys: ['b'], handler: other('two') },
        ]),
      ),
      /key "b" is in mapping 0 and in mapping 1 \(two\)\. Leave it in one place/,
    ],
    [mapped(['a'], { maxModelsPerWorker: 0 }), /maxModelsPerWorker .* a whole number from 1, got 0/],
    [mapped(['a'], { maxBytesPerWorker: 1.5 }), /maxBytesPerWorker .* a whole number from 1, got 1\.5/],
    [mapped(['a'], { maxModels: 1 }), /there is no option "maxModels"/],
  ])

  it('are none where each key has one model: 1 and "1" are two keys', () => {
    assert.deepEqual(mapped(['1', 1, 1n, true, 'true'], { maxModelsPerWorker: 2, maxBytesPerWorker: 1e9 }), [])
  })
})

describe('the problems of handlers that users write', () => {
  tell([
    [withOptions({}, custom({ name: '' })), /name of the handler cannot be used, expected a text, got ""/],
    [withOptions({}, custom({ modelId: 5 })), /modelId of the handler cannot be used, expected a text, got 5/],
    [
      withOptions({}, custom({ runInference: undefined })),
      /runInference of the handler is no method, .* got undefined/,
    ],
    [
      withOptions({}, custom({ loadModel: undefined, load_model: () => ({}) })),
      /loadModel of the handler is no method, .* Call load_model so: loadModel/,
    ],
    [withOptions({}, custom({ isTransient: true })), /isTransient .* got true\. Correct isTransient, or leave it out/],
    [withOptions({}, custom({ isolation: 'fork' })), /isolation cannot be used, expected thread or process/],
    [withOptions({}, custom({ timeoutMs: 0 })), /timeoutMs cannot be used/],
    [withOptions({}, custom({ timeoutMs: 5, isolation: 'thread' })), /timeoutMs needs a process/],
    [withOptions({}, custom({ modelCopies: 0 })), /modelCopies .* a whole number from 1, got 0/],
    [withOptions({}, custom({ envVars: { 'A=B': '1' } })), /a name of envVars cannot be used, .* got "A=B"/],
    [withOptions({}, custom({ envVars: { A: 1 } })), /envVars\.A cannot be used, expected a text, got "number"/],
    [withOptions({}, custom({ envVars: ['A'] })), /envVars cannot be used, expected texts by name/],
    [withOptions({}, custom({ resourceHints: { ram: 1 } })), /no resource hint "ram"/],
    [withOptions({}, custom({ batchElementsOptions: { maxSize: 0 } })), /batch\.maxSize .* got 0/],
    [
      withOptions({ batch: { maxWaitMs: 0 } }, custom({ batchElementsOptions: { minSize: 4, maxWaitMs: 9 } })),
      /minSize 4 without maxWaitMs/,
    ],
  ])

  it('are none for a class with methods, and whatever else it has', () => {
    class Scaler implements CustomHandler<number, number, number> {
      readonly name = 'scaler'
      readonly factor = 2
      loadModel = (): number => this.factor
      runInference(batch: readonly number[], model: number): number[] {
        return batch.map(n => n * model)
      }
    }
    assert.deepEqual(withOptions({}, modelHandler(new Scaler())), [])
  })
})

describe('the problems between steps', () => {
  const model = (change = {}) => onnx({ model: 'm.onnx', input: float32(1), output: float32(1), ...change })
  const one = { modelIdentifier: 'one' }
  const env = (value: string, isolation: string) =>
    custom({ name: value + isolation, envVars: { A: value }, isolation })
  tell([
    [
      stepsOf([
        [model(), one],
        [model({ model: 'n.onnx' }), one],
      ]),
      /step "s1": modelIdentifier "one" is that of step "s0" too, which has another model/,
    ],
    [
      stepsOf([
        [echo, one],
        [custom({ isTransient: () => true }), one],
      ]),
      /step "s1": modelIdentifier "one" is that of step "s0" too/,
    ],
    [
      stepsOf([
        [env('1', 'thread'), {}],
        [env('2', 'thread'), {}],
      ]),
      /step "s1": envVars\.A is another one than that of step "s0", and threads of one process share it\. Set isolation: 'process'/,
    ],
    [
      withOptions({}, model({ providers: ['webgpu', 'cpu'], modelCopies: 2 })),
      /modelCopies .* webgpu.*expected 1, got 2/,
    ],
  ])

  it('are none for equal models, one handler in two steps, others without an identifier, processes of their own', () => {
    for (const steps of [
      [model(), model()].map(handler => [handler, one] as const),
      [echo, echo].map(handler => [handler, one] as const),
      [echo, custom({ isTransient: () => true })].map(handler => [handler, {}] as const),
      [env('1', 'thread'), env('2', 'process')].map(handler => [handler, {}] as const),
      [[model({ providers: ['webgpu'], modelCopies: 1 }), {}] as const],
    ])
      assert.deepEqual(stepsOf(steps), [])
  })
})
