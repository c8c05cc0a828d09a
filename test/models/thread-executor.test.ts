import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { MID_MLP, writeMlp } from '../../bench/make-mlp.ts'
import { createThreadExecutor } from '../../src/models/thread-executor.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { digitsSpec, modelSpec, tensor } from '../support/model-specs.ts'

const folder = mkdtempSync(join(tmpdir(), 'thread-executor-'))
after(() => rmSync(folder, { recursive: true }))
const parts = { logger: silentLogger, clock: systemClock, random: Math.random }

describe('thread executor', () => {
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
