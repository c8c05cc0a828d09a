import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type BisectVerdict, bisect, ENOUGH_REFUSED, searchBudget } from '../../src/pipeline/bisect.ts'

class Outage extends Error {}
class BadRow extends Error {}

interface Course {
  readonly rows: number
  readonly bad: ReadonlySet<number>
  readonly controlPasses: boolean
  /** The call (counted over runs and control batches) from which on everything is an outage. */
  readonly outageAt?: number
}

interface Outcome {
  readonly verdict: BisectVerdict
  readonly good: readonly number[]
  readonly runs: number
  readonly controls: number
  readonly controlPassed: boolean
}

async function search(
  { rows, bad, controlPasses, outageAt = Number.POSITIVE_INFINITY }: Course,
  refusedBefore = 0,
): Promise<Outcome> {
  let calls = 0
  let runs = 0
  let controls = 0
  let controlPassed = false
  const good: number[] = []
  const verdict = await bisect<string>(
    rows,
    new BadRow('the whole batch'),
    {
      async run(from, count) {
        runs++
        if (++calls >= outageAt) throw new Outage('gone')
        for (let row = from; row < from + count; row++) if (bad.has(row)) throw new BadRow(`row ${row} among ${count}`)
        return `${from}+${count}`
      },
      async control() {
        controls++
        if (++calls >= outageAt || !controlPasses) throw new Outage('control')
        controlPassed = true
      },
      good(from, count, outputs) {
        assert.equal(outputs, `${from}+${count}`)
        for (let row = from; row < from + count; row++) good.push(row)
      },
    },
    { isBadInput: error => error instanceof BadRow, refusedBefore },
  )
  return { verdict, good, runs, controls, controlPassed }
}

const course: fc.Arbitrary<Course> = fc.integer({ min: 1, max: 300 }).chain(rows =>
  fc.record({
    rows: fc.constant(rows),
    bad: fc
      .oneof(
        fc.constant([] as number[]),
        fc.array(fc.nat({ max: rows - 1 }), { minLength: 1, maxLength: 3 }),
        fc.array(fc.nat({ max: rows - 1 }), { maxLength: rows }),
        fc.constant(Array.from({ length: rows }, (_, row) => row)),
      )
      .map(found => new Set(found)),
    controlPasses: fc.boolean(),
    outageAt: fc.option(fc.integer({ min: 1, max: 30 }), { nil: Number.POSITIVE_INFINITY }),
  }),
)

describe('bisect', () => {
  it('C1–C4 hold for any set of bad rows, any outage, and either control verdict', async () => {
    await fc.assert(
      fc.asyncProperty(course, async given => {
        const { verdict, good, runs, controls, controlPassed } = await search(given)
        const badRows = verdict.bad.map(({ row }) => row)
        const undecided = verdict.undecided.flatMap(({ from, rows }) =>
          Array.from({ length: rows }, (_, i) => from + i),
        )
        const all = [...good, ...badRows, ...undecided].sort((a, b) => a - b)
        assert.deepEqual(
          all,
          Array.from({ length: given.rows }, (_, row) => row),
          'C1: every row in one place',
        )
        const isCondemned = good.length === 0 && badRows.length === given.rows && given.rows >= 16
        if (!isCondemned)
          for (const row of badRows) assert.ok(given.bad.has(row), `row ${row} is called bad and is not`)
        else assert.ok(controlPassed, 'C6: not without a control batch')
        for (const row of good) assert.ok(!given.bad.has(row))
        assert.ok(verdict.calls <= searchBudget(given.rows), `C2: ${verdict.calls} calls`)
        assert.equal(verdict.calls, runs + controls)
        if (badRows.length > 0) assert.ok(good.length > 0 || controlPassed, 'C4: no bad row without a reference')
        if (good.length === 0 && controls > 0 && !controlPassed) {
          assert.ok(verdict.outage instanceof Outage, 'C3: a failed control batch is an outage')
          assert.deepEqual(badRows, [])
        }
        assert.ok(controls <= 1, 'one control batch decides')
      }),
      { numRuns: 1_000 },
    )
  })

  it('finds one bad row in a batch of any size, with a single search', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 1024 }).chain(rows => fc.tuple(fc.constant(rows), fc.nat({ max: rows - 1 }))),
        async ([rows, guilty]) => {
          const { verdict, good } = await search({ rows, bad: new Set([guilty]), controlPasses: true })
          assert.deepEqual(
            verdict.bad.map(({ row }) => row),
            [guilty],
          )
          assert.deepEqual(verdict.undecided, [])
          assert.equal(good.length, rows - 1)
        },
      ),
      { numRuns: 300 },
    )
  })

  it('C3, C5: a batch of one asks the control batch, then runs once more', async () => {
    const bad = new Set([0])
    const passed = await search({ rows: 1, bad, controlPasses: true })
    assert.deepEqual([passed.runs, passed.controls], [1, 1])
    assert.match(String(passed.verdict.bad[0]!.error), /row 0 among 1/)
    const failed = await search({ rows: 1, bad, controlPasses: false })
    assert.deepEqual(failed.verdict.bad, [])
    assert.deepEqual(failed.verdict.undecided, [{ from: 0, rows: 1 }])
    const transient = await search({ rows: 1, bad: new Set(), controlPasses: true })
    assert.deepEqual([transient.verdict.bad, transient.good], [[], [0]])
  })

  it('C5: one hiccup of the model, whenever it comes, makes no good row bad', async () => {
    await fc.assert(
      fc.asyncProperty(course, fc.integer({ min: 1, max: 20 }), async ({ rows, bad }, hiccupAt) => {
        let calls = 0
        const verdict = await bisect<number>(
          rows,
          new BadRow('the whole batch'),
          {
            async run(from, count) {
              if (++calls === hiccupAt) throw new BadRow('a hiccup')
              for (let row = from; row < from + count; row++) if (bad.has(row)) throw new BadRow('a bad row')
              return count
            },
            control: async () => void calls++,
            good: () => {},
          },
          { isBadInput: error => error instanceof BadRow },
        )
        // Of a batch of one, the search was begun by a failure: there the hiccup would be the second.
        if (rows > 1 && verdict.refused === 0)
          for (const { row } of verdict.bad) assert.ok(bad.has(row), `row ${row} is good`)
      }),
      { numRuns: 1_000 },
    )
  })

  it('repeated searches decide every row of a batch in which many are bad', async () => {
    const rows = 64
    const bad = new Set(Array.from({ length: rows }, (_, row) => row).filter(row => row % 2 === 0))
    let open = Array.from({ length: rows }, (_, row) => row)
    for (let round = 0; open.length > 0; round++) {
      assert.ok(round < rows, 'each search decides something')
      const batch = open
      const found = await search({
        rows: batch.length,
        bad: new Set(batch.flatMap((row, i) => (bad.has(row) ? [i] : []))),
        controlPasses: true,
      })
      for (const { row } of found.verdict.bad) assert.ok(bad.has(batch[row]!))
      open = found.verdict.undecided.flatMap(({ from, rows: count }) => batch.slice(from, from + count))
    }
  })

  it('C6: a model that refuses every row is found out once enough rows were bad; then one search decides a batch', async () => {
    for (const rows of [16, 17, 32, 100, 256, 1024]) {
      let refusedBefore = 0
      let found = 0
      let left = rows
      while (left > 0) {
        const all = Array.from({ length: left }, (_, row) => row)
        const { verdict } = await search({ rows: left, bad: new Set(all), controlPasses: true }, refusedBefore)
        assert.ok(verdict.calls <= searchBudget(left), 'C2')
        assert.ok(verdict.bad.length > 0 && verdict.bad.every(({ error }) => error instanceof BadRow))
        const decided = new Set(verdict.bad.map(({ row }) => row))
        assert.equal(decided.size, verdict.bad.length)
        if (verdict.refused >= ENOUGH_REFUSED && left >= 16) assert.deepEqual(verdict.undecided, [])
        else assert.ok(verdict.bad.length <= verdict.calls / 2, 'C5: each twice')
        refusedBefore = verdict.refused
        left -= verdict.bad.length
        found += verdict.bad.length
        // More of them come until that is known.
        if (left === 0 && refusedBefore < ENOUGH_REFUSED) left = rows
      }
      assert.ok(found >= rows)
    }
  })

  it('C6: one good row among those that are tried is enough to be searched to the end, and to begin anew', async () => {
    const rows = 256
    const bad = new Set(Array.from({ length: rows }, (_, row) => row).filter(row => row % 10 !== 0))
    const { verdict } = await search({ rows, bad, controlPasses: true }, ENOUGH_REFUSED - 1)
    assert.equal(verdict.refused, 0)
    for (const { row } of verdict.bad) assert.ok(bad.has(row))
  })

  it('C6: an outage among the samples ends the search: what had failed twice is bad, nothing else', async () => {
    const rows = 64
    const bad = new Set(Array.from({ length: rows }, (_, row) => row))
    const { verdict } = await search({ rows, bad, controlPasses: true, outageAt: 9 }, ENOUGH_REFUSED)
    assert.ok(verdict.outage instanceof Outage)
    assert.equal(verdict.bad.length, 2)
    assert.equal(
      verdict.undecided.reduce((sum, { rows: count }) => sum + count, 0),
      rows - 2,
    )
  })

  it('an error of ours behind a good range is not taken for a bad row', async () => {
    const search = bisect(
      2,
      new BadRow('both'),
      {
        run: async () => 'ran',
        control: async () => {},
        good: () => {
          throw new TypeError('a bug')
        },
      },
      { isBadInput: () => true },
    )
    await assert.rejects(search, TypeError)
  })
})
