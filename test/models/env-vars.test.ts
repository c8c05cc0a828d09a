// onnxruntime's native code reads ORT_LOAD_CONFIG_FROM_MODEL when it opens a model, and refuses every value but 0 and 1.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { disagreements, type EnvVars, hasEnvVars, joinedEnvVars, setEnvVars } from '../../src/models/env-vars.ts'
import { createExecutor } from '../../src/models/executors.ts'
import { lanesFor } from '../../src/models/lane-choice.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { type Logger, silentLogger } from '../../src/ops/logger.ts'
import { environment } from '../../src/settings.ts'
import { digitsSpec } from '../support/model-specs.ts'

const READ_BY_NATIVE_CODE = 'ORT_LOAD_CONFIG_FROM_MODEL'
const REFUSED = { [READ_BY_NATIVE_CODE]: '7' }
const TAKEN = { [READ_BY_NATIVE_CODE]: '0' }
const parts = { logger: silentLogger, clock: systemClock, random: Math.random, stuckMs: 60_000 }

/** In a worker that sets the variable for itself. */
const IN_A_WORKER = `
  process.env.${READ_BY_NATIVE_CODE} = '7'
  require('onnxruntime-node').InferenceSession.create('models/digits-mlp-v1.onnx').then(
    () => require('node:worker_threads').parentPort.postMessage('loaded'),
  )`

suite('environment variables that models ask for', () => {
  // First: what later tests set stays.
  test('what a worker sets for itself, native code does not see: so it is set in the process', async () => {
    const worker = new Worker(IN_A_WORKER, { eval: true, execArgv: [] })
    const told = await new Promise((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
    })
    assert.equal(told, 'loaded')
    assert.equal(environment()[READ_BY_NATIVE_CODE], undefined)
  })

  test('native code sees them in child processes, each its own, and this process does not have them', async () => {
    const refused = digitsSpec(undefined, { isolation: 'process', envVars: REFUSED })
    const taken = digitsSpec(undefined, { isolation: 'process', envVars: TAKEN })
    const executor = createExecutor({ models: [refused, taken], lanes: 1, maxBatchRows: 4 }, parts)
    try {
      const [first, second] = [lanesFor(executor, refused), lanesFor(executor, taken)]
      assert.deepEqual([first, second], [[executor.lanes[0]], [executor.lanes[1]]])
      await assert.rejects(first[0]!.load(refused), new RegExp(READ_BY_NATIVE_CODE))
      await second[0]!.load(taken)
    } finally {
      await executor.close()
    }
    assert.equal(environment()[READ_BY_NATIVE_CODE], undefined)
  })

  test('native code sees them in threads; a child process has its own value all the same', async () => {
    const refused = digitsSpec(undefined, { envVars: REFUSED })
    const taken = digitsSpec(undefined, { isolation: 'process', envVars: TAKEN })
    const executor = createExecutor({ models: [refused, taken], lanes: 1, maxBatchRows: 4 }, parts)
    try {
      await assert.rejects(lanesFor(executor, refused)[0]!.load(refused), new RegExp(READ_BY_NATIVE_CODE))
      await lanesFor(executor, taken)[0]!.load(taken)
    } finally {
      await executor.close()
    }
    assert.equal(environment()[READ_BY_NATIVE_CODE], '7', 'they stay, as in Beam')
  })

  test('a value that is there already is overwritten, with a warning that tells the name alone', () => {
    const lines: unknown[] = []
    const tell = (facts: object) => void lines.push(facts)
    const logger = { info: tell, warn: tell } as unknown as Logger
    setEnvVars({ KRI_TEST_ONE: 'secret', KRI_TEST_TWO: 'x' }, logger)
    setEnvVars({ KRI_TEST_ONE: 'other', KRI_TEST_TWO: 'x' }, logger)
    assert.equal(environment().KRI_TEST_ONE, 'other')
    assert.deepEqual(lines, [
      { names: ['KRI_TEST_ONE', 'KRI_TEST_TWO'] },
      { names: ['KRI_TEST_ONE'] },
      { names: ['KRI_TEST_ONE'] },
    ])
  })

  test('models share a process unless they disagree', () => {
    const [a, b, c]: readonly EnvVars[] = [{ A: '1' }, { A: '2', B: '1' }, { B: '1', C: '1' }]
    assert.deepEqual(disagreements(a, b), ['A'])
    assert.deepEqual(disagreements(b, c), [])
    const joined = joinedEnvVars([{ envVars: a! }, { envVars: b! }, {}, { envVars: c! }])
    assert.deepEqual(joined, [
      { A: '1', B: '1', C: '1' },
      { A: '2', B: '1' },
    ])
    assert.deepEqual(
      [hasEnvVars(joined[0]!, c), hasEnvVars(joined[1]!, c), hasEnvVars(joined[1]!)],
      [true, false, true],
    )
    assert.deepEqual(joinedEnvVars([]), [])
  })
})
