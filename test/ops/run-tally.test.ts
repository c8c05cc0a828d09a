import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createMetrics } from '../../src/ops/metrics.ts'
import { addSummaries, tallyRun } from '../../src/ops/run-tally.ts'

suite('what a run came to', () => {
  test('is counted beside the metrics', async () => {
    const { metrics, summary } = tallyRun(createMetrics())
    metrics.unitAcknowledged('in', 90, 5)
    metrics.unitAcknowledged('in', 10, 5)
    metrics.batchSucceeded('step', 0, 97, 1_000, 1, 1)
    metrics.deadLetters('preprocess', 'step', 'DECODE_MALFORMED', 2)
    metrics.deadLetters('inference', 'step', 'INFERENCE_FAILED', 1)
    metrics.dropped('filter', 4)
    metrics.committed('in', 0, 50)
    metrics.committed('in', 0, 100)
    assert.deepEqual(summary(), {
      ...{ records: 100, predictions: 97, dropped: 4 },
      deadLetters: { preprocess: 2, inference: 1, postprocess: 0 },
      committed: { in: { 0: 100 } },
    })
    assert.match(await metrics.text(), /^kri_records_done_total\{topic="in"\} 100$/m)
  })

  test('that of several workers is the sum; of a partition that moved the latest offset counts', () => {
    const deadLetters = { preprocess: 1, inference: 0, postprocess: 2 }
    const one = { records: 5, predictions: 4, dropped: 1, deadLetters, committed: { in: { 0: 10, 1: 5 } } }
    const two = { ...one, committed: { in: { 1: 9 }, other: { 0: 1 } } }
    assert.deepEqual(addSummaries([one, two]), {
      ...{ records: 10, predictions: 8, dropped: 2 },
      deadLetters: { preprocess: 2, inference: 0, postprocess: 4 },
      committed: { in: { 0: 10, 1: 9 }, other: { 0: 1 } },
    })
  })
})
