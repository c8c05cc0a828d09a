import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { FromLane, LoadMessage } from '../../src/models/lane-messages.ts'
import { openChild } from '../../src/models/lane-process.ts'
import { createProcessExecutor } from '../../src/models/process-executor.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { eventually } from '../support/eventually.ts'
import { digitsSpec, fill } from '../support/model-specs.ts'

describe('the pipes to a child process', () => {
  it('a message that cannot be written holds up none behind it', async () => {
    const replies: FromLane[] = []
    const ends: string[] = []
    const link = openChild({ lane: 0, logger: silentLogger, clock: systemClock, execArgv: [], envVars: {} })({
      reply: message => replies.push(message),
      ended: how => ends.push(how),
    })
    // As one does that is beyond the limits of a frame.
    const unwritable = { type: 'load', call: 1, model: 1, spec: { ...digitsSpec(), timeoutMs: 1n } }
    assert.throws(() => link.post(unwritable as unknown as LoadMessage), /BigInt/)
    link.post({ type: 'close', call: 2 })
    try {
      await eventually('the next one is answered', () => replies.length > 0)
      assert.deepEqual(replies, [{ type: 'done', call: 2 }])
    } finally {
      link.kill?.()
    }
    await eventually('the child has ended', () => ends.length === 1)
  })

  it('a call that was answered in time did not time out, though the main thread looks later', async () => {
    const parts = { logger: silentLogger, clock: systemClock, random: Math.random, stuckMs: 60_000, execArgv: [] }
    const executor = createProcessExecutor({ lanes: 1, maxBatchRows: 4 }, parts)
    try {
      const [lane] = executor.lanes
      const model = await lane!.load(digitsSpec(undefined, { timeoutMs: 300 }))
      const slot = model.acquire()!
      fill(slot, [new Array<number>(64).fill(0)])
      const run = slot.run(0, 1)
      // As a long function of the user does.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600)
      assert.equal((await run).rows, 1)
      assert.deepEqual(lane!.restarts, { crash: 0, timeout: 0 })
      slot.release()
    } finally {
      await executor.close()
    }
  })
})
