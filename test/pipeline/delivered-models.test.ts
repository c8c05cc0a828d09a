import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { BatchOutputs } from '../../src/models/executor.ts'
import type { Delivery } from '../../src/pipeline/functions.ts'
import type { Stage } from '../../src/pipeline/stage.ts'
import { StepOutput } from '../../src/pipeline/step-output.ts'
import { rowRun } from '../support/row-runs.ts'
import { blockOf, flowOf, sourceRecord, workOf } from '../support/work-blocks.ts'

describe('results that are handed on', () => {
  it('I3: each says its own model, also while results of other models go on in between', () => {
    const delivery: Delivery = { modelId: undefined }
    const seen: unknown[] = []
    const next: Stage = {
      push() {
        seen.push(delivery.modelId)
        // What waited for an asynchronous function goes on, and its function gave a result at once.
        delivery.modelId = 'another'
      },
      pushNull() {},
    }
    const output = new StepOutput({
      keyed: false,
      layouts: [{ kind: 'result', names: [''] }],
      routes: [{ next, direct: [] }],
      delivery,
      keepsResults: false,
    })
    const work = workOf(blockOf([0, 1, 2].map(offset => sourceRecord(offset))), flowOf())
    const outputs: BatchOutputs = {
      modelId: 'mine',
      rows: 3,
      outputs: [{ data: ['a', 'b', 'c'], rowShape: [] }],
      computeMs: 0,
      queueMs: 0,
    }
    output.deliver({ run: rowRun(work, '', 3, 0), from: 0, to: 3 }, outputs, 0)
    assert.deepEqual(seen, ['mine', 'mine', 'mine'])
  })
})
