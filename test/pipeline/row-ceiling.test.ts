import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { RowCeiling } from '../../src/pipeline/row-ceiling.ts'

/** A device that has memory for `fits` rows, and full batches that run on it one after the other. */
function device(mostRows: number) {
  const changes: number[] = []
  let rows = mostRows
  const ceiling = new RowCeiling(mostRows, next => {
    changes.push(next)
    rows = next
  })
  return {
    changes,
    get rows() {
      return rows
    },
    /** Runs so many full batches; the number of calls that did not fit. */
    run(batches: number, fits: number): number {
      let failures = 0
      for (let i = 0; i < batches; i++) {
        const size = rows
        if (size <= fits) ceiling.fitted(size)
        else {
          failures++
          ceiling.tooMany(size)
          assert.ok(rows <= Math.ceil(size / 2), 'R2')
        }
      }
      return failures
    },
    ceiling,
  }
}

const sizes = fc.record({ most: fc.integer({ min: 1, max: 2048 }), fits: fc.integer({ min: 1, max: 2048 }) })

describe('the ceiling of rows', () => {
  it('R1, R2: stays between 1 and the most rows, and halves what does not fit, whatever is reported', () => {
    const report = fc.record({ fitted: fc.boolean(), rows: fc.integer({ min: 1, max: 600 }) })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 512 }), fc.array(report, { maxLength: 400 }), (most, reports) => {
        const { ceiling, changes } = device(most)
        for (const { fitted, rows: reported } of reports) {
          if (fitted) ceiling.fitted(reported)
          else {
            ceiling.tooMany(reported)
            if (reported > 1) assert.ok((changes.at(-1) ?? most) <= Math.ceil(reported / 2), 'R2')
          }
          const rows = changes.at(-1) ?? most
          assert.ok(rows >= 1 && rows <= most, 'R1')
        }
      }),
    )
  })

  it('finds what fits within log2 calls', () => {
    fc.assert(
      fc.property(sizes, ({ most, fits }) => {
        const it = device(most)
        const failures = it.run(Math.ceil(Math.log2(most)) + 1, fits)
        assert.ok(it.rows <= fits)
        assert.ok(it.rows * 2 >= Math.min(fits, most), 'not far below what fits')
        assert.ok(failures <= Math.ceil(Math.log2(most)))
      }),
    )
  })

  it('R3, R4: tries more again, and the more rarely the more often that was in vain', () => {
    const it = device(256)
    assert.equal(it.run(3, 100), 2)
    assert.equal(it.rows, 64)
    const failures = [1, 2, 3, 4].map(() => it.run(10_000, 100))
    assert.ok(failures[0]! <= 8, `${failures}`)
    assert.ok(failures[3]! <= 3, `${failures}`)
  })

  it('R4: comes back to the most rows when there is memory again', () => {
    fc.assert(
      fc.property(sizes, fc.nat({ max: 20_000 }), ({ most, fits }, pressedFor) => {
        const it = device(most)
        it.run(pressedFor, fits)
        // The last patience, and then each doubling at the first one.
        it.run(4_096 + 64 * 12, most)
        assert.equal(it.rows, most)
      }),
      { numRuns: 50 },
    )
  })

  it('what was under way when the ceiling came down does not bring it down further', () => {
    const { ceiling, changes } = device(256)
    for (let lane = 0; lane < 4; lane++) ceiling.tooMany(256)
    assert.deepEqual(changes, [128])
    ceiling.tooMany(128)
    assert.deepEqual(changes, [128, 64])
  })

  it('a row that does not fit alone, and small batches that do, say nothing', () => {
    const { ceiling, changes } = device(8)
    ceiling.tooMany(1)
    assert.deepEqual(changes, [])
    ceiling.tooMany(8)
    for (let i = 0; i < 1_000; i++) ceiling.fitted(3)
    assert.deepEqual(changes, [4])
    for (let i = 0; i < 64; i++) ceiling.fitted(4)
    assert.deepEqual(changes, [4, 8])
  })
})
