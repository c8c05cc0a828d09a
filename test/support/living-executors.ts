import assert from 'node:assert/strict'
import { after } from 'node:test'
import type { Executor } from '../../src/models/executor.ts'
import type { CreateExecutor } from './executor-checks.ts'

/**
 * Executors that live on from test to test, one for each set of options, as those of an instance do from batch to batch:
 * for tests after which a lane is as good as new. They are closed when the file is done.
 */
export function livingOn(create: CreateExecutor): CreateExecutor {
  const executors = new Map<string, Executor>()
  after(() => Promise.all([...executors.values()].map(executor => executor.close())))
  return options => {
    const key = JSON.stringify(options)
    const executor = executors.get(key) ?? create(options)
    executors.set(key, executor)
    assert.deepEqual(
      executor.lanes.map(({ occupied, trouble }) => [occupied, trouble]),
      executor.lanes.map(() => [0, undefined]),
      'what came before left its lanes as good as new',
    )
    return { ...executor, close: async () => {} }
  }
}
