import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { FunctionLane } from '../../src/models/function-lane.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { functionsInWorker } from '../../src/pipeline/function-lanes.ts'
import { isKV, kv } from '../../src/records.ts'
import { loadTopology } from '../../src/topology-module.ts'
import { type Ended, runJobs, TestJob } from '../support/function-jobs.ts'
import type { Task } from '../support/worker-functions-topology.ts'

const FILE = 'test/support/worker-functions-topology.ts'
const TIMEOUT_MS = 300

let lane: FunctionLane
before(async () => {
  lane = await open(TIMEOUT_MS)
})
after(() => lane.close())

async function open(timeoutMs: number): Promise<FunctionLane> {
  const topology = await loadTopology(FILE, { name: 'functions', timeoutMs: String(timeoutMs) })
  return await functionsInWorker(topology, topology.steps[0]!, {
    clock: systemClock,
    random: () => 0,
    logger: silentLogger,
    onOutage: error => assert.fail(error),
    onRecovered: () => {},
    onFatal: error => assert.fail(String(error)),
  })
}

const task = (what: string) => kv('k', { do: what } satisfies Task)
const run = (...tasks: string[]) => runJobs(lane, tasks.map(task))

/** The code of what failed, `ok` for the others. */
const codes = (ended: readonly Ended[]) => ended.map(({ code }) => code ?? 'ok')

test('W1: elements come back as the functions made them, keyed ones as keyed ones', async () => {
  const [ended] = await run('')
  assert.ok(isKV(ended!.result))
  assert.equal(ended!.result.key, 'k')
  assert.deepEqual(ended!.result.value, { x: new Array(64).fill(0) })
})

test('W1: several chunks of elements all come back', async () => {
  const ended = await runJobs(
    lane,
    Array.from({ length: 1_500 }, (_, i) => kv(`k${i}`, { do: '', x: [i] })),
  )
  assert.deepEqual(
    ended.map(({ result }) => (result as { value: { x: number[] } }).value.x[0]),
    Array.from({ length: 1_500 }, (_, i) => i),
  )
})

test('an error keeps index, class, message and stack, and its neighbours are unharmed', async () => {
  const [good, bad, rejected, text, also] = await run('', 'throw', 'reject', 'throw text', '')
  assert.deepEqual(codes([good!, also!]), ['ok', 'ok'])
  assert.equal(bad!.code, 'FUNCTION_THREW')
  assert.equal(bad!.index, 0)
  assert.match(bad!.error!.message, /preprocess function 0: no thanks/)
  assert.deepEqual(bad!.error!.errorTypes.slice(0, 1), ['TypeError'])
  assert.match(bad!.error!.stack!, /worker-functions-topology/)
  assert.equal(rejected!.index, 1)
  assert.match(rejected!.error!.message, /preprocess function 1: refused/)
  assert.match(text!.error!.message, /just a text/)
})

test('W2: a loop that does not end is FUNCTION_TIMEOUT for its element alone', async () => {
  const ended = await run('', 'spin', '', '')
  assert.deepEqual(codes(ended), ['ok', 'FUNCTION_TIMEOUT', 'ok', 'ok'])
  assert.equal(ended[1]!.index, 0)
  assert.match(ended[1]!.error!.message, /preprocess function 0 did not return within 300 ms/)
})

test('a promise that does not settle is FUNCTION_TIMEOUT, and the worker goes on', async () => {
  const ended = await run('', 'never', 'sleep')
  assert.deepEqual(codes(ended), ['ok', 'FUNCTION_TIMEOUT', 'ok'])
  assert.match(ended[1]!.error!.message, /preprocess function 1 did not settle within 300 ms/)
})

test('a loop behind an await is found, though nobody knows whose it is', async () => {
  assert.deepEqual(codes(await run('sleep', 'spin later', 'sleep')), ['ok', 'FUNCTION_TIMEOUT', 'ok'])
})

test('a function that ends its worker is FUNCTION_LOST for its element alone', async () => {
  const ended = await run('', 'exit', '')
  assert.deepEqual(codes(ended), ['ok', 'FUNCTION_LOST', 'ok'])
  assert.match(ended[1]!.error!.message, /alone and more than once.*exit code 7/)
})

test('one that ends its worker later is found by running the suspects alone', async () => {
  assert.deepEqual(codes(await run('sleep', 'exit later', 'sleep')), ['ok', 'FUNCTION_LOST', 'ok'])
})

test('what cannot be copied is a dead letter of its record, be it an input or a result', async () => {
  const inputs = await runJobs(lane, [task(''), kv('k', { do: '', x: () => {} }), task('')])
  assert.deepEqual(codes(inputs), ['ok', 'NOT_CLONEABLE', 'ok'])
  const other = await runJobs(lane, [kv('k', { do: '' }), Symbol('element')])
  assert.deepEqual(codes(other), ['ok', 'NOT_CLONEABLE'])
})

test('undefined and mutated inputs stay inside the worker', async () => {
  const ended = await run('undefined', '')
  // The next function takes it apart.
  assert.deepEqual(codes(ended), ['FUNCTION_THREW', 'ok'])
})

test('a promise that a function leaves behind does not end the worker', async () => {
  assert.deepEqual(codes(await run('leave behind', '', '')), ['ok', 'ok', 'ok'])
})

test('functions behind the model run there too', async () => {
  const probabilities = new Float32Array([0.5, 0.25])
  const prediction = { example: {}, inference: { probabilities }, modelId: 'm' }
  const [ended] = await runJobs(lane, [kv('k', prediction)], 'postprocess')
  assert.deepEqual(ended!.result, kv('k', { inference: [0.5, 0.25], modelId: 'm' }))
})

test('lost jobs are not done, and those behind them are', async () => {
  const lost = new TestJob(task(''))
  lost.isLost = true
  lane.push('preprocess', lost)
  assert.deepEqual(codes(await run('')), ['ok'])
  assert.deepEqual(lost.ends, [])
})

test('a topology without a module is refused with what to do', async () => {
  const { module: _, ...topology } = await loadTopology(FILE, { name: 'functions' })
  await assert.rejects(
    functionsInWorker(topology, topology.steps[0]!, {
      clock: systemClock,
      random: () => 0,
      logger: silentLogger,
      onOutage: () => {},
      onRecovered: () => {},
      onFatal: () => {},
    }),
    /TOPOLOGY_INVALID.*step "work".*loadTopology/,
  )
})
