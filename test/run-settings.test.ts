import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DEFAULT_RUN_SETTINGS, rowCredits } from '../src/run-settings.ts'

describe('credits in rows', () => {
  it('are more by default where rows wait for the end of a transaction', () => {
    assert.equal(rowCredits(DEFAULT_RUN_SETTINGS), 32_768)
    assert.equal(rowCredits({ ...DEFAULT_RUN_SETTINGS, processingGuarantee: 'exactly_once' }), 131_072)
  })

  it('are what was set, whatever the guarantee', () => {
    for (const processingGuarantee of ['at_least_once', 'exactly_once'] as const)
      assert.equal(rowCredits({ processingGuarantee, maxInFlightRows: 50 }), 50)
  })
})
