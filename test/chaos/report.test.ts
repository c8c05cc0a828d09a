// Which counts break a promise, under which guarantee; and the flags.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BadFlag } from '../../chaos/command-line.ts'
import { FAULT_KINDS, type Fault, faultOrder } from '../../chaos/faults.ts'
import { parseFlags } from '../../chaos/flags.ts'
import { brokenPromises, jsonOf, type RunResult, summariesOf, textOf } from '../../chaos/report.ts'
import { parseSoakFlags } from '../../chaos/soak-flags.ts'
import { createRandom } from '../../src/testing/random.ts'

const faults = (each: number, openTransactions = 1): Fault[] =>
  FAULT_KINDS.flatMap(kind =>
    Array.from({ length: each }, (_, i) => ({
      ...{ kind, what: kind, rowsInFlight: 10, openTransactions, recoverySeconds: i },
    })),
  )
const clean = { lost: 0, duplicates: 0, orderViolations: 0, wrongValues: 0, wrongDeadLetters: 0, undecided: 0 }
const result = (change: Partial<RunResult> = {}, counts: Partial<RunResult['verdict']> = {}): RunResult => ({
  ...{
    guarantee: 'at_least_once',
    seed: 1,
    seconds: 600,
    rate: 400,
    rowCap: 256,
    kinds: FAULT_KINDS,
    faults: faults(5),
  },
  ...{ unexpectedExits: [], calmThroughput: 400, faultThroughput: 200 },
  ...change,
  verdict: {
    ...{ produced: 1_000, outputs: 980, deadLetters: 20, ...clean, inputLost: 0, inputDuplicates: 0, findings: [] },
    ...counts,
  },
})

describe('promises', () => {
  it('hold when nothing is wrong', () => {
    assert.deepEqual(brokenPromises(result()), [])
    assert.deepEqual(brokenPromises(result({ guarantee: 'exactly_once' })), [])
  })

  for (const count of [...Object.keys(clean), 'inputLost', 'inputDuplicates'].filter(name => name !== 'duplicates'))
    it(`${count} is 0 under both guarantees`, () => {
      for (const guarantee of ['at_least_once', 'exactly_once'] as const)
        assert.equal(brokenPromises(result({ guarantee }, { [count]: 1 })).length, 1)
    })

  it('what comes twice is bounded at least once, and nothing does exactly once', () => {
    const cap = 25 * 256
    assert.deepEqual(brokenPromises(result({}, { duplicates: cap })), [])
    assert.equal(brokenPromises(result({}, { duplicates: cap + 1 })).length, 1)
    assert.equal(brokenPromises(result({ faults: [], seconds: 10 }, { duplicates: 1 })).length, 1)
    assert.equal(brokenPromises(result({ guarantee: 'exactly_once' }, { duplicates: 1 })).length, 1)
  })

  it('an instance that ends by itself, a throughput below 30 %, and a run of nothing break them', () => {
    assert.match(brokenPromises(result({ unexpectedExits: ['instance-1 …'] }))[0]!, /by themselves/)
    assert.match(brokenPromises(result({ faultThroughput: 100 }))[0]!, /25 %/)
    assert.match(brokenPromises(result({}, { produced: 0 }))[0]!, /nothing was shown/)
  })

  it('a long run has enough faults of each kind, with transactions open where there are any; a short one tells how many', () => {
    const few = result({ faults: faults(4) })
    assert.equal(brokenPromises(few).length, FAULT_KINDS.length)
    assert.deepEqual(brokenPromises({ ...few, seconds: 599 }), [])
    const closed = result({ faults: faults(5, 0) })
    assert.deepEqual(brokenPromises(closed), [])
    assert.equal(brokenPromises({ ...closed, guarantee: 'exactly_once' }).length, FAULT_KINDS.length)
    assert.deepEqual(summariesOf(few).get('kill'), {
      ...{ count: 4, inFlight: 4, inTransaction: 4, recoverySecondsMax: 3 },
    })
  })

  it('the object of --json has the counts, the faults and what is broken', () => {
    const json = jsonOf(result({}, { lost: 2 }))
    for (const name of ['produced', 'outputs', 'deadLetters', 'lost', 'duplicates', 'orderViolations', 'wrongValues'])
      assert.equal(typeof json[name], 'number', name)
    assert.equal(json.recoverySecondsMax, 4)
    assert.deepEqual(Object.keys(json.faults as object), [...FAULT_KINDS])
    assert.equal((json.brokenPromises as string[]).length, 1)
    assert.match(textOf(result({}, { lost: 2 })), /2 records are lost/)
  })
})

describe('flags', () => {
  it('have defaults, and are read', () => {
    const { seconds, calmSeconds, guarantee, faults: kinds } = parseFlags([])
    assert.deepEqual([seconds, calmSeconds, guarantee, kinds], [120, 24, 'at_least_once', FAULT_KINDS])
    assert.deepEqual(parseFlags(['--faults', 'none']).faults, [])
    assert.deepEqual(parseFlags(['--faults', 'kill,broker', '--seed', '7']).faults, ['kill', 'broker'])
    assert.equal(parseSoakFlags(['--minutes', '2']).minutes, 2)
  })

  it('that make no sense are refused', () => {
    const wrong = [
      ['--seconds', 'many'],
      ['--faults', 'fire'],
      ['--guarantee', 'maybe'],
      ['--rate', '0'],
      ['--rounds', '0'],
      ['--speed', '9'],
    ]
    for (const args of wrong) assert.throws(() => parseFlags(args), BadFlag)
    assert.throws(() => parseSoakFlags(['--minutes', '0']), BadFlag)
  })
})

describe('the order of faults', () => {
  const first = (seed: number, count: number) => {
    const order = faultOrder(FAULT_KINDS, createRandom(seed))
    return Array.from({ length: count }, () => order.next().value)
  }

  it('follows from the seed', () => {
    assert.deepEqual(first(3, 30), first(3, 30))
    assert.notDeepEqual(first(3, 30), first(4, 30))
  })

  it('has every kind as often as the others', () => {
    for (const kind of FAULT_KINDS) assert.equal(first(5, 30).filter(each => each === kind).length, 6)
  })
})
