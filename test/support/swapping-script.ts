/** `hang`: a thread hangs while it loads. `memory thread|process`: how much memory swaps leave behind. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MID_MLP, writeMlp } from '../../bench/make-mlp.ts'
import type { Executor, Isolation } from '../../src/models/executor.ts'
import { createProcessExecutor } from '../../src/models/process-executor.ts'
import { createThreadExecutor } from '../../src/models/thread-executor.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { type Logger, silentLogger } from '../../src/ops/logger.ts'
import { eventually } from './eventually.ts'
import { laneSet } from './lane-sets.ts'
import { digitsSpec, modelSpec, tensor } from './model-specs.ts'

const parts = { logger: silentLogger, clock: systemClock, random: Math.random, stuckMs: 60_000 }
const [what, kind] = process.argv.slice(2)
if (what === 'hang') await hang()
else await memory(kind as Isolation)

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

async function hang(): Promise<void> {
  const workerUrl = new URL('./crashing-lane-worker.ts', import.meta.url)
  const logger: Logger = { ...silentLogger, warn: (_facts, text) => say(text) }
  const executor = createThreadExecutor({ lanes: 1, maxBatchRows: 16 }, { ...parts, workerUrl })
  const { prepare, check } = await laneSet(executor, digitsSpec(), logger)
  const next = digitsSpec('models/digits-mlp-v2.onnx')
  process.env.DEADLY_LOADS = 'hang'
  await prepare(next, { timeoutMs: 3_000 }).catch(() => {})
  delete process.env.DEADLY_LOADS
  await check('digits-mlp-v1')
  say(`v1 serves, ${executor.leaving.length} lane leaving`)
  const prepared = await prepare(next)
  prepared.serve()
  await check('digits-mlp-v2')
  await eventually('the end of the old lane', () => executor.leaving.length === 1)
  say(`v2 serves, ${executor.leaving.length} lane leaving`)
  await executor.close()
  say(`closed, ${executor.leaving.length} lane leaving, ${executor.leaving[0]?.hasEnded ? 'ended' : 'hanging'}`)
  say('ended on purpose')
  process.kill(process.pid, 'SIGKILL')
}

async function memory(isolation: Isolation): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'swapping-'))
  const file = join(folder, 'mid.onnx')
  writeMlp(file, MID_MLP)
  const spec = modelSpec(file, { x: tensor('float32', 784) }, { probabilities: tensor('float32', 10) }, { isolation })
  const create = isolation === 'thread' ? createThreadExecutor : createProcessExecutor
  const executor: Executor = create({ lanes: 1, maxBatchRows: 64 }, parts)
  const { set, prepare } = await laneSet(executor, spec)
  const swap = async (swaps: number) => {
    for (let i = 0; i < swaps; i++) {
      const prepared = await prepare({ ...spec, identifier: `${i}` })
      prepared.serve()
      const slot = set.acquire(executor.lanes[0]!, 0)!
      slot.slot.prepare(64, [[784]])
      await slot.slot.run(0, 64)
      slot.release()
      await eventually('the end of the old lane', () => executor.leaving.length === 0)
    }
    for (let i = 0; i < 3; i++) globalThis.gc?.()
    return process.memoryUsage.rss()
  }
  // What threads and allocators keep for the next one is there after some.
  const before = await swap(6)
  const after = await swap(20)
  say(JSON.stringify({ growthMiB: Math.round((after - before) / 1024 / 1024) }))
  await executor.close()
  rmSync(folder, { recursive: true })
}
