import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { MID_MLP, writeMlp } from '../../bench/make-mlp.ts'
import type { RunInferenceError } from '../../src/errors.ts'
import { createThreadExecutor } from '../../src/models/thread-executor.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { digitsSpec, fill, modelSpec, tensor } from '../support/model-specs.ts'

const folder = mkdtempSync(join(tmpdir(), 'thread-executor-'))
after(() => rmSync(folder, { recursive: true }))
const parts = { logger: silentLogger, clock: systemClock }
const crashing = { ...parts, workerUrl: new URL('../support/crashing-lane-worker.ts', import.meta.url) }
const zeros = (rows: number) => Array.from({ length: rows }, () => Array<number>(64).fill(0))
const lost =
  (...texts: string[]) =>
  (error: RunInferenceError) => {
    for (const text of texts) assert.ok(error.message.includes(text), `'${text}' in '${error.message}'`)
    return error.code === 'LANE_LOST' && error.retriable
  }

describe('thread executor', () => {
  for (const [rows, text] of [
    [13, 'exit code 7'],
    [14, 'nobody catches this'],
  ] as const) {
    test(`a worker that ends by itself (${text}): its calls reject LANE_LOST, listeners hear of it, other lanes go on`, async () => {
      const executor = createThreadExecutor({ lanes: 2, maxBatchRows: 16 }, crashing)
      const heard: string[] = []
      executor.onLaneLost((lane, reason) => heard.push(`${lane.id} ${executor.lanes.includes(lane)} ${reason.code}`))
      const [victim, other] = await Promise.all(executor.lanes.map(lane => lane.load(digitsSpec())))
      const running = victim!.acquire()!
      const queued = victim!.acquire()!
      fill(running, zeros(rows))
      fill(queued, zeros(2))
      await Promise.all([
        assert.rejects(running.run(0, rows), lost('lane 0', text)),
        assert.rejects(queued.run(0, 2), lost('lane 0')),
        assert.rejects(victim!.runControl(), lost('lane 0')),
      ])
      assert.deepEqual(heard, ['0 true LANE_LOST'])
      assert.equal(executor.lanes[0]!.busyMs(), 0)
      await other!.runControl()

      await assert.rejects(queued.run(0, 2), lost('load the model again'))
      running.release()
      queued.release()
      const again = await executor.lanes[0]!.load(digitsSpec())
      const slot = again.acquire()!
      fill(slot, zeros(3))
      assert.equal((await slot.run(0, 3)).rows, 3)
      await victim!.unload()
      await executor.close()
      assert.equal(heard.length, 1)
    })
  }

  test('a lane that is lost while it closes is closed', async () => {
    const executor = createThreadExecutor({ lanes: 1, maxBatchRows: 16 }, crashing)
    const model = await executor.lanes[0]!.load(digitsSpec())
    const slot = model.acquire()!
    fill(slot, zeros(13))
    const running = assert.rejects(slot.run(0, 13), lost('lane 0'))
    await executor.close()
    await running
  })

  test('the main thread goes on while a batch runs, and busyMs tells how long that has been', async () => {
    const file = join(folder, 'mid.onnx')
    writeMlp(file, MID_MLP)
    const executor = createThreadExecutor({ lanes: 1, maxBatchRows: 8192 }, parts)
    const spec = modelSpec(file, { x: tensor('float32', 784) }, { probabilities: tensor('float32', 10) })
    const model = await executor.lanes[0]!.load(spec)
    const slot = model.acquire()!
    slot.prepare(8192, [[784]])
    const seen: number[] = []
    const timer = setInterval(() => seen.push(executor.lanes[0]!.busyMs()), 1)
    const { computeMs } = await slot.run(0, 8192)
    clearInterval(timer)
    assert.ok(seen.length > 3, `${seen.length} ticks while the model ran for ${computeMs} ms`)
    assert.ok(
      seen.every((busy, index) => busy > (seen[index - 1] ?? 0)),
      `growing: ${seen.slice(0, 5)}`,
    )
    assert.equal(executor.lanes[0]!.busyMs(), 0)
    slot.release()
    await executor.close()
  })

  test('close returns when every worker has ended, not before', async () => {
    const before = process.getActiveResourcesInfo()
    const executor = createThreadExecutor({ lanes: 2, maxBatchRows: 16 }, parts)
    await Promise.all(executor.lanes.map(lane => lane.load(digitsSpec())))
    assert.notDeepEqual(process.getActiveResourcesInfo(), before)
    await executor.close()
    assert.deepEqual(process.getActiveResourcesInfo(), before)
  })

  test('webgpu on several threads is refused, since it would crash the process', async () => {
    const executor = createThreadExecutor({ lanes: 2, maxBatchRows: 16 }, parts)
    const spec = digitsSpec('models/digits-mlp-v1.onnx', { providers: ['webgpu', 'cpu'] })
    await assert.rejects(executor.lanes[0]!.load(spec), /MODEL_UNUSABLE.*webgpu on 2 lanes/)
    await executor.close()
  })

  test('closing in the middle of heavy work neither aborts the process nor leaves it hanging', async () => {
    const file = join(folder, 'heavy.onnx')
    writeMlp(file, MID_MLP)
    const script = new URL('../support/close-while-running.ts', import.meta.url).pathname
    const child = spawn(process.execPath, [...process.execArgv, script, file], { stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk
    })
    assert.deepEqual(await once(child, 'exit'), [0, null])
    assert.equal(output, '8 runs and 2 loads ended before close\n')
  })
})
