import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { FunctionTimer } from '../../src/pipeline/function-timing.ts'
import { nullMetrics } from '../../src/pipeline/null-metrics.ts'
import { PendingElement } from '../../src/pipeline/pending-element.ts'
import { blockOf, flowOf, sourceRecord, workOf } from '../support/work-blocks.ts'

function pending() {
  const pushed: unknown[] = []
  const progressed: unknown[] = []
  const delivery = { modelId: 'model a' as string | undefined }
  const flow = flowOf()
  const work = workOf(blockOf([sourceRecord(0), sourceRecord(1)]), flow)
  const element = new PendingElement(
    {
      next: { push: (_, at, value) => void pushed.push([at, value, delivery.modelId]), pushNull: () => {} },
      point: { topic: 't', stage: 'postprocess', step: 's', node: 'step s', listeners: [] },
      timer: new FunctionTimer({ now: () => 0, metrics: nullMetrics, logger: silentLogger }),
      delivery,
      onProgress: block => void progressed.push(block),
    },
    work,
    1,
    'value',
  )
  return { element, delivery, flow, work, pushed, progressed }
}

test('a result goes on under the label of its own model, whoever delivers by now', () => {
  const { element, delivery, work, pushed, progressed } = pending()
  delivery.modelId = 'model b'
  element.done('result')
  assert.deepEqual(pushed, [[1, 'result', 'model a']])
  assert.deepEqual(progressed, [work])
})

test('a failure names its function and its model', () => {
  const { element, delivery, work, progressed } = pending()
  delivery.modelId = 'model b'
  element.failed(2, new RunInferenceError('FUNCTION_TIMEOUT', 'too long'))
  const [failure] = work.failuresOf(1)!
  assert.deepEqual([failure!.index, failure!.modelId, failure!.error.code], [2, 'model a', 'FUNCTION_TIMEOUT'])
  assert.deepEqual(progressed, [work])
})

test('I8: what comes back for a lost partition is dropped', () => {
  const { element, flow, work, pushed, progressed } = pending()
  flow.lost = true
  assert.ok(element.isLost)
  element.done('result')
  element.failed(0, new RunInferenceError('FUNCTION_THREW', 'late'))
  assert.deepEqual([pushed, progressed, work.hasFailures], [[], [], false])
})
