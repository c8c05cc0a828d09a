import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { progressText } from '../../src/cli/run-progress.ts'

suite('how far a run is', () => {
  test('records, rate, and what is left in the unit that people think in', () => {
    assert.equal(progressText(0, 5_000, 0, undefined), '0 of 5,000 records, 0/s')
    assert.equal(progressText(1_234, 5_000, 800.4, 5), '1,234 of 5,000 records, 800/s, 5 s left')
    assert.equal(progressText(1, 2, 1, 90), '1 of 2 records, 1/s, 1 min 30 s left')
    assert.equal(progressText(1, 2, 1, 7_320), '1 of 2 records, 1/s, 2 h 2 min left')
  })
})
