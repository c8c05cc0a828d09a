import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Lane, ModelSpec } from '../../src/models/executor.ts'
import { createExecutor } from '../../src/models/executors.ts'
import { lanesFor, lanesNeeded } from '../../src/models/lane-choice.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'

const cpuThread: Pick<ModelSpec, 'uri' | 'isolation' | 'providers'> = {
  uri: 'm',
  isolation: 'thread',
  providers: ['cpu'],
}
const cpuProcess = { ...cpuThread, isolation: 'process' } as const
const onGpu = { uri: 'g', isolation: 'process', providers: ['cuda', 'cpu'] } as const

describe('which lanes there are, and which load a model', () => {
  test('lanes of each kind that a model asks for; one is enough for models on a GPU', () => {
    const alike = (lanes: number) => [{ envVars: {}, lanes }]
    assert.deepEqual(lanesNeeded([cpuThread], 3), { threads: 3, processes: [] })
    assert.deepEqual(lanesNeeded([cpuThread, cpuProcess], 3), { threads: 3, processes: alike(3) })
    assert.deepEqual(lanesNeeded([onGpu, onGpu], 3), { threads: 0, processes: alike(1) })
    assert.deepEqual(lanesNeeded([onGpu, cpuProcess], 3), { threads: 0, processes: alike(3) })
    assert.deepEqual(lanesNeeded([], 3), { threads: 0, processes: [] })
  })

  test('models that want other values of one variable get child processes of their own', () => {
    const [one, other] = ['1', '2'].map(value => ({ ...cpuProcess, envVars: { A: value } }))
    const more = { ...onGpu, envVars: { A: '2', B: '1' } }
    const { processes } = lanesNeeded([one!, cpuProcess, other!, more], 2)
    assert.deepEqual(processes, [
      { envVars: { A: '1' }, lanes: 2 },
      { envVars: { A: '2', B: '1' }, lanes: 2 },
    ])
    const lanes = processes.flatMap(({ envVars }, i) =>
      [0, 1].map(j => ({ id: 2 * i + j, isolation: 'process', envVars }) as unknown as Lane),
    )
    const chosen = [one!, cpuProcess, other!, more].map(spec => lanesFor({ lanes }, spec).map(({ id }) => id))
    assert.deepEqual(chosen, [[0, 1], [0, 1], [2, 3], [2]])
  })

  test('a model is loaded in every lane of its kind, or of any kind; one on a GPU in one of them', () => {
    const lanes = (['thread', 'process', 'process', 'any'] as const).map((isolation, id) => ({ id, isolation }) as Lane)
    const chosen = (spec: typeof cpuThread) => lanesFor({ lanes }, spec).map(({ id }) => id)
    assert.deepEqual([chosen(cpuThread), chosen(cpuProcess), chosen(onGpu)], [[0, 3], [1, 2, 3], [1]])
  })

  test('a model has as many copies as it asks for, and no more than there are lanes for it', () => {
    const lanes = (['thread', 'process', 'process'] as const).map((isolation, id) => ({ id, isolation }) as Lane)
    const chosen = (spec: typeof cpuThread, copies: number, of = lanes) =>
      lanesFor({ lanes: of }, spec, copies).map(({ id }) => id)
    assert.deepEqual([chosen(cpuProcess, 1), chosen(cpuProcess, 2), chosen(onGpu, 1)], [[1], [1, 2], [1]])
    assert.throws(() => chosen(cpuThread, 2), {
      code: 'TOPOLOGY_INVALID',
      message: /m: modelCopies is 2, and there is 1 lane for it/,
    })
    assert.throws(() => chosen(onGpu, 2), { message: /modelCopies is 2, and models on a GPU share one lane/ })
    assert.deepEqual(chosen(cpuThread, 2, [{ id: 0, isolation: 'any' } as Lane]), [0])
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
