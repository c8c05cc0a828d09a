/** Models that are replaced on real lanes. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import type { Executor, Isolation } from '../../src/models/executor.ts'
import { createProcessExecutor } from '../../src/models/process-executor.ts'
import { createThreadExecutor } from '../../src/models/thread-executor.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { DEADLY_ARGUMENTS } from '../support/deadly-child.ts'
import { eventually } from '../support/eventually.ts'
import { rejects } from '../support/executor-checks.ts'
import { laneSet } from '../support/lane-sets.ts'
import { digitsSpec } from '../support/model-specs.ts'

const parts = { logger: silentLogger, clock: systemClock, random: Math.random, stuckMs: 60_000 }
const specOf = (name: string, isolation: Isolation) => digitsSpec(`models/${name}.onnx`, { isolation })
const KINDS = { thread: createThreadExecutor, process: createProcessExecutor }

for (const [kind, create] of Object.entries(KINDS) as [Isolation, (typeof KINDS)['process']][]) {
  const withLanes = async (lanes: number, use: (executor: Executor) => Promise<void>) => {
    const executor = create({ lanes, maxBatchRows: 16 }, parts)
    try {
      await use(executor)
    } finally {
      await executor.close()
    }
  }

  describe(`models that are replaced on ${kind} lanes`, () => {
    test('W2: what began on the old model ends on it; then its lanes end, and the new ones are as many', () =>
      withLanes(2, async executor => {
        const { set, prepare, check, outcomes } = await laneSet(executor, specOf('digits-mlp-v1', kind))
        await check('digits-mlp-v1', 1)
        const prepared = await prepare(specOf('digits-mlp-v2', kind))
        await check('digits-mlp-v1')
        const [first] = executor.lanes
        const begun = set.acquire(first!, 0)!
        prepared.serve()
        assert.deepEqual(
          executor.lanes.map(({ seat }) => seat),
          [0, 0, 1],
          'the old lane of the second seat had nothing to do',
        )
        assert.equal(begun.model.loaded.modelId, 'models/digits-mlp-v1.onnx')
        assert.equal(set.acquire(first!, 0), undefined, 'nothing new for the old lane')
        await check('digits-mlp-v2', 1)
        begun.release()
        assert.deepEqual(
          executor.lanes.map(({ seat }) => seat),
          [0, 1],
        )
        await check('digits-mlp-v2')
        await eventually('the end of the old lanes', () => executor.leaving.length === 0)
        assert.deepEqual([outcomes, set.differ], [['served'], false])
      }))

    test('W1: bad models are refused for what they are, nothing is left of them, and the old one serves', () =>
      withLanes(1, async executor => {
        const { prepare, check, outcomes } = await laneSet(executor, specOf('digits-mlp-v1', kind))
        for (const [name, ...texts] of [
          ['corrupt-truncated'],
          ['corrupt-garbage'],
          ['corrupt-empty'],
          ['unsupported-opset'],
          ['unsupported-op'],
          ['digits-width32', 'float32[64]'],
          ['digits-5class', 'float32[10]'],
          ['there-is-none', 'ENOENT'],
        ] as const) {
          await rejects(prepare(specOf(name, kind)), 'MODEL_UNUSABLE', `models/${name}.onnx`, ...texts)
        }
        await check('digits-mlp-v1')
        await eventually('the end of the spare lanes', () => executor.leaving.length === 0)
        assert.deepEqual([executor.lanes.length, new Set(outcomes)], [1, new Set(['failed'])])
      }))
  })
}

test('a process that hangs while it loads is ended with the preparation; the old model serves, and another one can', async () => {
  const executor = createProcessExecutor({ lanes: 1, maxBatchRows: 16 }, { ...parts, execArgv: DEADLY_ARGUMENTS })
  try {
    const { prepare, check, outcomes } = await laneSet(executor, specOf('digits-mlp-v1', 'process'))
    const next = specOf('digits-mlp-v2', 'process')
    process.env.DEADLY_LOADS = 'hang'
    await rejects(prepare(next, { timeoutMs: 200 }), 'MODEL_UNUSABLE', 'within 200 ms', 'v2.onnx')
    await check('digits-mlp-v1')
    await eventually('the end of the process', () => executor.leaving.length === 0)
    delete process.env.DEADLY_LOADS
    const prepared = await prepare(next)
    prepared.serve()
    await check('digits-mlp-v2')
    assert.deepEqual(outcomes, ['timeout', 'served'])
  } finally {
    delete process.env.DEADLY_LOADS
    await executor.close()
  }
})

test('a lane that is lost after the switch comes back with the new model', async () => {
  const executor = createProcessExecutor({ lanes: 1, maxBatchRows: 16 }, { ...parts, execArgv: DEADLY_ARGUMENTS })
  try {
    const { prepare, check } = await laneSet(executor, specOf('digits-mlp-v1', 'process'))
    const prepared = await prepare(specOf('digits-mlp-v2', 'process'))
    prepared.serve()
    const [lane] = executor.lanes
    await check('digits-mlp-v2')
    const pids = await promisify(execFile)('ps', ['-o', 'pid=,args=', '--ppid', String(process.pid)])
    const own = pids.stdout.split('\n').filter(line => line.includes(`lane-child`) && line.includes(`lane-${lane!.id}`))
    assert.equal(own.length, 1)
    process.kill(Number.parseInt(own[0]!, 10), 'SIGKILL')
    await eventually('its restart', () => lane!.restarts.crash === 1)
    await check('digits-mlp-v2')
  } finally {
    await executor.close()
  }
})

/** Scripts of their own: one has a thread that can never end, the others measure their memory. */
async function script(...args: string[]): Promise<string> {
  const file = new URL('../support/swapping-script.ts', import.meta.url).pathname
  const run = promisify(execFile)(process.execPath, [...process.execArgv, '--expose-gc', file, ...args])
  const { stdout } = await run.catch((error: { stdout?: string; stderr?: string }) => {
    if (error.stdout?.includes('ended on purpose')) return { stdout: error.stdout }
    throw error
  })
  return stdout
}

test('a thread that hangs in native code while it loads is left alone, and said to be, also when all is closed: the old model serves, and others can take its place', async () => {
  const told = await script('hang')
  assert.match(told, /a thread hangs while it loads a model: it is ended where that can be done/)
  assert.match(told, /v1 serves, 1 lane leaving\nv2 serves, 1 lane leaving\nclosed, 1 lane leaving, hanging\n/)
})

for (const kind of ['thread', 'process']) {
  test(`20 swaps on ${kind} lanes leave no memory behind`, async () => {
    const { growthMiB } = JSON.parse(await script('memory', kind)) as { growthMiB: number }
    // The model has 2 MiB, and a thread about 10: twenty of either would be seen.
    assert.ok(growthMiB <= 12, `${growthMiB} MiB`)
  })
}
