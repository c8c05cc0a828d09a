import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AdaptiveSize } from '../../src/pipeline/adaptive.ts'
import { BatchSizes } from '../../src/pipeline/batch-sizes.ts'
import type { Batch } from '../../src/pipeline/row-run.ts'

function sizesOf(adaptives: readonly (AdaptiveSize | undefined)[] = []) {
  const limits: string[] = []
  const ceilings: number[][] = []
  const sizes = new BatchSizes({
    maxSize: 64,
    batcher: { limit: (cohort, rows) => limits.push(`${cohort}: ${rows}`) },
    adaptives,
    onCeiling: (cohort, rows, lowest, failedRows) => ceilings.push([cohort, rows, lowest, failedRows ?? 0]),
  })
  return { sizes, limits, ceilings }
}

const targets = {
  targetBatchOverhead: 0.05,
  targetBatchDurationMs: 10_000,
  targetBatchDurationIncludingFixedCostMs: 0,
  variance: 0,
}

const full = (rows: number) => ({ rows, reason: 'count' }) as Batch

describe('sizes of batches, model by model', () => {
  it('a batch that does not fit limits those of its own model, and the lowest ceiling is told', () => {
    const { sizes, limits, ceilings } = sizesOf()
    sizes.tooMany(0, 64)
    sizes.tooMany(1, 16)
    assert.deepEqual(limits, ['0: 32', '1: 8'])
    assert.deepEqual(ceilings, [
      [0, 32, 32, 64],
      [1, 8, 8, 16],
    ])
    for (let i = 0; i < 64; i++) sizes.fitted(1, 8)
    assert.deepEqual(ceilings.at(-1), [1, 16, 16, 0])
    sizes.fitted(2, 64)
    assert.equal(ceilings.length, 3)
  })

  it('a size that adapts is each model’s own; of it and the ceiling the lesser one holds', () => {
    const adaptives = [1, 2].map(minSize => new AdaptiveSize({ minSize, maxSize: 64, ...targets }, () => 0.5))
    const { sizes, limits } = sizesOf(adaptives)
    assert.deepEqual(limits.splice(0), ['0: 1', '1: 2'])
    sizes.observe(1, full(2), 1)
    const grown = sizes.observe(1, full(2), 1)
    assert.ok(grown! > 2)
    assert.equal(limits.at(-1), `1: ${grown}`)
    assert.ok(limits.every(limit => limit.startsWith('1')))
    sizes.tooMany(1, 4)
    assert.equal(limits.at(-1), '1: 2')
  })

  it('steps that share what is learnt hear of it from each other', () => {
    const shared = new AdaptiveSize({ minSize: 1, maxSize: 64, ...targets }, () => 0.5)
    const [one, other] = [sizesOf([shared]), sizesOf([shared])]
    for (let i = 0; i < 2; i++) one.sizes.observe(0, { rows: 1, reason: 'count' } as Batch, 1)
    assert.equal(other.limits.at(-1), `0: ${shared.size}`)
  })

  it('another model of a cohort begins anew: without the ceiling, and with a size of its own', () => {
    const { sizes, limits } = sizesOf([undefined])
    sizes.renew(1, undefined)
    sizes.tooMany(1, 64)
    const adaptive = new AdaptiveSize({ minSize: 4, maxSize: 64, ...targets }, () => 0.5)
    sizes.renew(1, adaptive)
    assert.deepEqual(limits, ['1: 64', '1: 32', `1: ${adaptive.size}`])
    assert.equal(sizes.observe(0, full(64), 1), undefined)
    assert.equal(sizes.observe(1, full(adaptive.size), 1), adaptive.size)
  })
})
