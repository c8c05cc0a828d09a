// Beam's tests of timeouts, on a real child process: each test has the name of Beam's.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadTopology } from 'kafka-run-inference'
import { createTopologyDriver, type TopologyDriver } from 'kafka-run-inference/testing'
import type { Executor } from '../../src/models/executor.ts'
import { createProcessExecutor } from '../../src/models/process-executor.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { eventually } from '../support/eventually.ts'

const PARTS = { logger: silentLogger, clock: systemClock, random: Math.random, stuckMs: 60_000 }

async function sleepy(values: readonly number[]): Promise<{ readonly results: unknown[]; readonly failed: unknown[] }> {
  const executor: Executor = createProcessExecutor({ lanes: 1, maxBatchRows: 8 }, PARTS)
  const topology = await loadTopology('test/support/sleepy-topology.ts')
  const driver: TopologyDriver = await createTopologyDriver(topology, { wrapExecutor: () => executor })
  try {
    await driver.pipe(
      'in',
      values.map(value => ({ value })),
    )
    const read = async (topic: string) => (await driver.read(topic)).map(({ value }) => value)
    await eventually('all records are done', async () => {
      await driver.advance(100)
      return (await read('out')).length + driver.failures.length === values.length
    })
    return { results: await read('out'), failed: driver.failures.map(({ element, code }) => [element, code]) }
  } finally {
    await driver.stop()
  }
}

describe('timeouts, as Beam tests them', () => {
  it('test_run_inference_timeout_not_hit', async () => {
    assert.deepEqual(await sleepy([1, 2, 3]), { results: [1, 2, 3], failed: [] })
  })

  it('test_run_inference_timeout_on_inference_dlq, test_run_inference_timeout_does_garbage_collection: what does not return is ended with its model, and the 15 that follow have another', async () => {
    const { results, failed } = await sleepy([1, -1, ...Array(15).fill(2)])
    assert.deepEqual(failed, [[-1, 'TIMEOUT']])
    assert.equal(results.length, 16)
    // Each copy of the model counts its calls: one that began again at one was loaded in the place of the one that was ended.
    assert.equal(results[0], 1)
    assert.ok(results.slice(1).includes(1))
  })
})
