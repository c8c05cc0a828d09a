import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { afterEach, describe, test } from 'node:test'
import type { ExecutorOptions } from '../../src/models/executor.ts'
import { createProcessExecutor } from '../../src/models/process-executor.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { pixels, withDeadly } from '../contract/executor-supervision.contract.ts'
import { DEADLY_ARGUMENTS } from '../support/deadly-child.ts'
import { eventually } from '../support/eventually.ts'
import { checkDigits, rejects } from '../support/executor-checks.ts'
import { digitsSpec, fill } from '../support/model-specs.ts'

/** An executor whose children's ids are known, in the order of their starts. */
function setUp(change: object = {}, options: ExecutorOptions = { lanes: 1, maxBatchRows: 16 }) {
  const pids: number[] = []
  const logger = {
    ...silentLogger,
    info(fields: object) {
      if ('pid' in fields) pids.push(fields.pid as number)
    },
  }
  const parts = { logger, clock: systemClock, random: Math.random, stuckMs: 60_000, execArgv: DEADLY_ARGUMENTS }
  const executor = createProcessExecutor(options, { ...parts, ...change })
  return { executor, lane: executor.lanes[0]!, pids }
}

/** False also for a process that has ended and that nobody has asked for its exit code. */
function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
  } catch {
    return false
  }
}

afterEach(() => delete process.env.DEADLY_LOADS)

describe('process executor: children that are killed', () => {
  test('while idle: the next run finds a new one with the model', async () => {
    const { executor, lane, pids } = setUp()
    const model = await lane.load(digitsSpec())
    process.kill(pids[0]!, 'SIGKILL')
    await eventually('another one is there', () => pids.length === 2)
    const slot = model.acquire()!
    fill(slot, pixels(0, 5))
    checkDigits(await slot.run(0, 5), 0)
    assert.deepEqual(lane.restarts, { crash: 1, timeout: 0 })
    await executor.close()
  })

  test('again and again under load: runs fail or give what they should, and all succeed when they are tried again', async () => {
    const { executor, lane, pids } = setUp({}, { lanes: 1, maxBatchRows: 256 })
    const model = await lane.load(digitsSpec())
    let failures = 0
    const keepRunning = async (from: number): Promise<void> => {
      for (let round = 0; round < 60; ) {
        const slot = model.acquire()!
        fill(slot, pixels(from, 256))
        try {
          checkDigits(await slot.run(0, 256), from)
          round++
        } catch (error) {
          assert.match(String(error), /WORKER_LOST.*SIGKILL/)
          failures++
        }
        slot.release()
      }
    }
    const running = Promise.all([0, 60, 120, 200].map(keepRunning))
    for (let kill = 1; kill <= 3; kill++) {
      await eventually('it works', () => pids.length === kill && lane.busyMs() > 0)
      process.kill(pids.at(-1)!, 'SIGKILL')
    }
    await running
    assert.ok(failures <= 3, `${failures} runs were blamed for 3 kills`)
    await executor.close()
    assert.deepEqual(pids.filter(isAlive), [])
  })

  test('while it loads: an outage, and the next load succeeds', async () => {
    const { executor, lane, pids } = setUp()
    process.env.DEADLY_LOADS = 'hang'
    const loading = rejects(lane.load(digitsSpec()), 'LANE_LOST', 'SIGKILL')
    await eventually('it is there', () => pids.length === 1)
    delete process.env.DEADLY_LOADS
    process.kill(pids[0]!, 'SIGKILL')
    await loading
    const awake = setInterval(() => {}, 1_000)
    await (await lane.load(digitsSpec())).runControl()
    clearInterval(awake)
    await executor.close()
  })

  test('while it loads again: nobody is to blame, and the next one does it', async () => {
    const { executor, lane, pids } = setUp()
    const model = await lane.load(digitsSpec())
    process.env.DEADLY_LOADS = 'hang'
    process.kill(pids[0]!, 'SIGKILL')
    await eventually('another one is there', () => pids.length === 2)
    delete process.env.DEADLY_LOADS
    const control = model.runControl()
    process.kill(pids[1]!, 'SIGKILL')
    await control
    assert.equal(lane.restarts.crash, 2)
    await executor.close()
  })
})

describe('process executor: time', () => {
  for (const [what, spec, parts] of [
    ['timeoutMs', { timeoutMs: 1_000 }, {}],
    ['stuckMs', {}, { stuckMs: 5_000 }],
  ] as const) {
    test(`a run that never returns is ended after ${what}; the application and all other runs go on`, async () => {
      const { executor, lane, pids } = setUp(parts)
      const model = await lane.load(digitsSpec('models/digits-mlp-v1.onnx', spec))
      const slots = [model.acquire()!, model.acquire()!]
      fill(slots[0]!, withDeadly(pixels(0, 3), 1, 'hang'))
      fill(slots[1]!, pixels(0, 3))
      const stuck = rejects(slots[0]!.run(0, 3), 'TIMEOUT', 'digits-mlp-v1', '3 rows', `${what} (`, 'SIGKILL')
      checkDigits(await slots[1]!.run(0, 3), 0)
      await stuck
      checkDigits(await slots[0]!.run(0, 1), 0)
      assert.deepEqual(lane.restarts, { crash: 0, timeout: 1 })
      for (const slot of slots) slot.release()
      await executor.close()
      assert.deepEqual(pids.filter(isAlive), [])
    })
  }

  test('close ends a child that is in native code only when its budget is over', async () => {
    const { executor, lane, pids } = setUp()
    const model = await lane.load(digitsSpec())
    const slot = model.acquire()!
    fill(slot, withDeadly(pixels(0, 1), 0, 'hang'))
    const stuck = rejects(slot.run(0, 1), 'WORKER_LOST', 'SIGKILL')
    const startedAt = performance.now()
    await executor.close()
    assert.ok(performance.now() - startedAt > 2_500)
    await stuck
    assert.deepEqual(pids.filter(isAlive), [])
  })
})

describe('process executor: the life of a child', () => {
  test('signals that are meant for the application do not end it', async () => {
    const { executor, lane, pids } = setUp()
    const model = await lane.load(digitsSpec())
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(pids[0]!, signal)
    await model.runControl()
    assert.deepEqual([pids.length, lane.restarts.crash], [1, 0])
    await executor.close()
    assert.equal(isAlive(pids[0]!), false)
  })

  test('one that cannot start says why', async () => {
    const { executor, lane } = setUp({ execArgv: ['--no-such-option'] })
    await rejects(lane.load(digitsSpec()), 'LANE_LOST', 'exit code 9', 'bad option', '--no-such-option')
    await executor.close()
  })

  test('one that the system refuses to start is an outage like any other', async () => {
    const { executor, lane } = setUp({ execArgv: [`--title=${'x'.repeat(300_000)}`] })
    await rejects(lane.load(digitsSpec()), 'LANE_LOST', 'cannot be started')
    await executor.close()
  })

  for (const state of ['idle', 'busy']) {
    test(`it does not outlive an application that is killed, even when it is ${state}`, async () => {
      const program = new URL('../support/process-lane-parent.ts', import.meta.url).pathname
      const parent = spawn(process.execPath, ['--conditions=kri-source', program, state], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let output = ''
      parent.stdout.on('data', (text: Buffer) => {
        output += text
      })
      await eventually('the model is loaded', () => output.includes('"loaded"'))
      const pid = Number(/"pid":(\d+)/.exec(output)?.[1])
      assert.equal(isAlive(pid), true)
      parent.kill('SIGKILL')
      await eventually('the child is gone', () => !isAlive(pid))
    })
  }
})
