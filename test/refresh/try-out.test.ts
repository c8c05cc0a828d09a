import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createProcessExecutor } from '../../src/models/process-executor.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { tryOut } from '../../src/refresh/try-out.ts'
import { rejects } from '../support/executor-checks.ts'
import { hangingSpec } from '../support/hanging-loads.ts'
import { digitsSpec } from '../support/model-specs.ts'

// Much longer than a test: what hangs has to end before.
const parts = { logger: silentLogger, clock: systemClock, random: Math.random, stuckMs: 600_000 }

describe('a model that is tried before its lanes are open', () => {
  test('and hangs in a process is given up, and holds up neither the next one nor the lane', async () => {
    const isolation = 'process'
    const executor = createProcessExecutor({ lanes: 1, maxBatchRows: 4 }, parts)
    const [lane] = executor.lanes
    const signal = new AbortController().signal
    // The clock's timers keep no process alive.
    const alive = setInterval(() => {}, 1_000)
    try {
      const spec = await hangingSpec('spin', isolation)
      const options = { executor, clock: systemClock, signal }
      await rejects(tryOut(spec, { ...options, timeoutMs: 1_000 }), 'MODEL_UNUSABLE', 'modelLoadTimeoutMs (1000 ms)')
      const good = digitsSpec('models/digits-mlp-v2.onnx', { isolation })
      const tried = await tryOut(good, { ...options, timeoutMs: 60_000 })
      assert.match(tried.sha256, /^[0-9a-f]{64}$/)
      const { loaded } = await lane!.load(good)
      assert.equal(loaded.modelId, good.uri)
      tried.release()
    } finally {
      await executor.close()
      clearInterval(alive)
    }
  })
})
