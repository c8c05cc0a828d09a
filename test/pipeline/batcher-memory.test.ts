import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { batchPolicy } from '../../src/pipeline/batch-policy.ts'
import { Batcher } from '../../src/pipeline/batcher.ts'
import type { RowRun } from '../../src/pipeline/row-run.ts'
import { rowRun, take } from '../support/row-runs.ts'
import { blockOf, flowOf, sourceRecord, workOf } from '../support/work-blocks.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

describe('a queue of batches', () => {
  it('I5: lets go of the blocks whose rows have left, when nothing waits, and while other rows do', async () => {
    const batcher = new Batcher(batchPolicy({ maxSize: 2 }))
    const work = workOf(blockOf([sourceRecord(0)]), flowOf())
    const held: WeakRef<RowRun>[] = []
    const add = () => {
      const run = rowRun(work, 's', 2, 0)
      held.push(new WeakRef(run))
      batcher.add(run)
    }
    const left = async () => {
      // What is held weakly is held until the turn ends.
      await setImmediate()
      collectGarbage()
      return held.filter(each => each.deref() !== undefined).length
    }
    for (let i = 0; i < 40; i++) add()
    for (let i = 0; i < 30; i++) take(batcher, 'idle', 1, 0)
    assert.ok((await left()) < 25, 'ten wait')
    for (let i = 0; i < 10; i++) take(batcher, 'idle', 1, 0)
    assert.equal(await left(), 0)
  })
})
