import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Lane, ModelSpec } from '../../src/models/executor.ts'
import { createExecutor } from '../../src/models/executors.ts'
import { lanesFor, lanesNeeded } from '../../src/models/lane-choice.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'

const cpuThread: Pick<ModelSpec, 'isolation' | 'providers'> = { isolation: 'thread', providers: ['cpu'] }
const cpuProcess = { ...cpuThread, isolation: 'process' } as const
const onGpu = { isolation: 'process', providers: ['cuda', 'cpu'] } as const

describe('which lanes there are, and which load a model', () => {
  test('lanes of each kind that a model asks for; one is enough for models on a GPU', () => {
    assert.deepEqual(lanesNeeded([cpuThread], 3), { thread: 3, process: 0 })
    assert.deepEqual(lanesNeeded([cpuThread, cpuProcess], 3), { thread: 3, process: 3 })
    assert.deepEqual(lanesNeeded([onGpu, onGpu], 3), { thread: 0, process: 1 })
    assert.deepEqual(lanesNeeded([onGpu, cpuProcess], 3), { thread: 0, process: 3 })
    assert.deepEqual(lanesNeeded([], 3), { thread: 0, process: 0 })
  })

  test('a model is loaded in every lane of its kind, or of any kind; one on a GPU in one of them', () => {
    const lanes = (['thread', 'process', 'process', 'any'] as const).map((isolation, id) => ({ id, isolation }) as Lane)
    const chosen = (spec: typeof cpuThread) => lanesFor({ lanes }, spec).map(({ id }) => id)
    assert.deepEqual([chosen(cpuThread), chosen(cpuProcess), chosen(onGpu)], [[0, 3], [1, 2, 3], [1]])
  })

  test('an executor of both kinds numbers its lanes without a gap, and closes when nothing was loaded', async () => {
    const parts = { logger: silentLogger, clock: systemClock, random: Math.random, stuckMs: 60_000 }
    const executor = createExecutor({ models: [cpuThread, cpuProcess], lanes: 2, maxBatchRows: 1 }, parts)
    assert.deepEqual(
      executor.lanes.map(({ id, isolation }) => [id, isolation]),
      [
        [0, 'thread'],
        [1, 'thread'],
        [2, 'process'],
        [3, 'process'],
      ],
    )
    await executor.close()
  })
})
