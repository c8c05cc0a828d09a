import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { nullMetrics } from '../../src/pipeline/null-metrics.ts'
import type { PipelineMetrics } from '../../src/pipeline/pipeline-metrics.ts'
import type { RunSettings } from '../../src/run-settings.ts'
import { createTopologyDriver } from '../../src/testing/index.ts'
import type { SlowPoint } from '../../src/testing/memory-broker.ts'
import { type CountingMetrics, countingMetrics } from '../support/counting-metrics.ts'
import {
  COURSE_SETTINGS,
  DeliveryCourse,
  type Fault,
  type Kind,
  PARTITIONS,
  twoSteps,
} from '../support/delivery-course.ts'

const ms = fc.constantFrom(0, 3, 20, 120, 700, 4_000)
const losable = fc.constantFrom('produce' as const, 'fence', 'transactionSend', 'sendOffsets', 'endTransaction')
const kinds: fc.Arbitrary<Kind> = fc.oneof(
  { weight: 12, arbitrary: fc.constant('ok' as const) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      'drop' as const,
      'pre',
      'bad-first',
      'post',
      'refuse-between',
      'bad-second',
      'refuse-out',
    ),
  },
)

const fault: fc.Arbitrary<Fault> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constant('records' as const),
      kinds: fc.array(kinds, { minLength: 1, maxLength: 30 }),
      partition: fc.nat({ max: PARTITIONS - 1 }),
    }),
  },
  { weight: 9, arbitrary: fc.record({ kind: fc.constant('time' as const), ms }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('outage' as const), ms: fc.constantFrom(40, 2_000, 8_000, 20_000) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('lose' as const),
      point: losable,
      times: fc.constantFrom(1, 2, 60),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('fail' as const),
      point: fc.oneof(losable, fc.constantFrom('commit' as const, 'fetch', 'heartbeat', 'join')),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('slow' as const),
      point: fc.oneof(
        { weight: 2, arbitrary: losable },
        { weight: 2, arbitrary: fc.constantFrom('markers' as const, 'heartbeat') },
        { weight: 1, arbitrary: fc.constantFrom('commit' as const, 'fetch', 'join') },
      ),
      ms: fc.constantFrom(0, 5, 60, 600),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('cut' as const, 'zombies'),
      which: fc.nat({ max: 1 }),
      ms: fc.constantFrom(300, 3_000, 8_000, 30_000),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constantFrom('join' as const, 'rebalance' as const, 'expire', 'timeOut', 'leave'),
      which: fc.nat({ max: 5 }),
    }),
  },
)

const records = (partition: number, ...also: readonly Kind[]): Fault => {
  return { kind: 'records', kinds: [...also, 'ok', 'bad-second', 'ok', 'ok'], partition }
}
const time = (ms: number): Fault => ({ kind: 'time', ms })
const slow = (point: SlowPoint, ms: number): Fault => ({ kind: 'slow', point, ms })
const fed = [records(0), records(1)]
const join: Fault = { kind: 'join', which: 0 }
const zombies: Fault = { kind: 'zombies', which: 0, ms: 5_000 }

/** What chance finds too seldom: each of these shows a way to break the promise that a wrong order of things would take. */
const COURSES: readonly (readonly Fault[])[] = [
  // A commit is decided and not yet in the offsets when its partition is given to somebody else.
  [...fed, slow('markers', 600), time(120), ...fed, join, time(4_000)],
  // Whoever was dropped from the group does not know it yet, and commits while others take over, and after.
  [join, slow('endTransaction', 600), ...fed, time(20), zombies, ...fed, time(4_000)],
  [join, slow('sendOffsets', 700), ...fed, time(20), slow('fence', 120), zombies, time(120), ...fed, time(4_000)],
  // What is on its way when its sender is cut off arrives when all has been given away, and processed again.
  [join, slow('transactionSend', 120), ...fed, time(20), { kind: 'cut', which: 0, ms: 30_000 }, time(20_000)],
  // A time-out in the midst of a transaction, one whose answer is lost for good, and a refused batch.
  [slow('endTransaction', 120), ...fed, time(20), { kind: 'timeOut', which: 0 }, time(700), records(0, 'refuse-out')],
  [{ kind: 'lose', point: 'endTransaction', times: 60 }, ...fed, time(8_000), records(1, 'refuse-between')],
]

async function run(
  faults: readonly Fault[],
  processingGuarantee: RunSettings['processingGuarantee'],
  transactionEnded: PipelineMetrics['transactionEnded'] = () => {},
): Promise<void> {
  const settings = { ...COURSE_SETTINGS, processingGuarantee }
  // Beside what it counts itself, by getters.
  const metrics: CountingMetrics = Object.assign(Object.create(countingMetrics()), { transactionEnded })
  const driver = await createTopologyDriver(twoSteps(), { partitions: PARTITIONS, lanes: 2, metrics, settings })
  try {
    const course = new DeliveryCourse(driver, processingGuarantee, { ...nullMetrics, transactionEnded })
    for (const each of faults) await course.apply(each)
    await course.heal()
    await course.check()
    assert.equal(metrics.inFlightNow, 0, 'I5: credits come back')
  } finally {
    await driver.stop().catch(() => {})
  }
}

const examples = COURSES.map((course): [Fault[]] => [[...course]])

describe('whatever happens', () => {
  it('I1, I2, I9, exactly once: each record has its outcome once, in order, and all is committed', async () => {
    const ends = { committed: 0, aborted: 0, lost: 0, fenced: 0 }
    await fc.assert(
      fc.asyncProperty(fc.array(fault, { minLength: 3, maxLength: 30 }), faults =>
        run(faults, 'exactly_once', (_topic, end) => void ends[end]++),
      ),
      { numRuns: 60, interruptAfterTimeLimit: 12_000, examples },
    )
    for (const [end, count] of Object.entries(ends)) assert.ok(count > 0, `transactions were ${end}, too`)
  })

  it('I1, I2, at least once: the same courses lose nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fault, { minLength: 3, maxLength: 30 }), faults => run(faults, 'at_least_once')),
      { numRuns: 30, interruptAfterTimeLimit: 5_000, examples },
    )
  })
})
