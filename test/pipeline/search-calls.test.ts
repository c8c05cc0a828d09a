import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { searchBudget } from '../../src/pipeline/bisect.ts'
import { createRandom } from '../../src/testing/random.ts'
import { countSearchCalls } from '../support/search-calls.ts'

const ROWS = 256

/** So many of the rows, anywhere. */
function someOf(rows: number, count: number, seed = 1): ReadonlySet<number> {
  const random = createRandom(seed)
  const bad = new Set<number>()
  while (bad.size < count) bad.add(Math.floor(random() * rows))
  return bad
}

describe('what bad rows cost', () => {
  for (const [count, most] of [
    [1, 20],
    [16, 240],
    [256, 5 * searchBudget(ROWS)],
  ] as const) {
    it(`I7: ${count} of ${ROWS} rows: each batch at most 4 × log2(n) extra calls, all together ${most} at most`, async () => {
      for (const seed of [1, 2, 3, 4, 5]) {
        const bad = someOf(ROWS, count, seed)
        const { batches, extraCalls, deadLetters, delivered } = await countSearchCalls(ROWS, bad)
        assert.deepEqual(
          deadLetters,
          [...bad].sort((a, b) => a - b),
        )
        assert.equal(delivered, ROWS - count)
        for (const { rows, extraCalls: extra } of batches)
          assert.ok(extra <= searchBudget(rows), `${extra} for ${rows} rows`)
        assert.ok(extraCalls <= most, `${extraCalls} calls`)
      }
    })
  }

  it('I7: for any batch and any bad rows up to three of four, only these are dead letters', async () => {
    const given = fc
      .integer({ min: 1, max: 256 })
      .chain(rows => fc.tuple(fc.constant(rows), fc.integer({ min: 0, max: Math.floor(rows * 0.75) }), fc.nat()))
    await fc.assert(
      fc.asyncProperty(given, async ([rows, count, seed]) => {
        const bad = someOf(rows, count, seed)
        const { batches, deadLetters } = await countSearchCalls(rows, bad)
        assert.deepEqual(
          deadLetters,
          [...bad].sort((a, b) => a - b),
        )
        for (const { rows: size, extraCalls } of batches) assert.ok(extraCalls <= searchBudget(size))
      }),
      { numRuns: 40 },
    )
  })
})
