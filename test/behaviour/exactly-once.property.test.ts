import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { PipelineMetrics } from '../../src/pipeline/pipeline-metrics.ts'
import type { RunSettings } from '../../src/run-settings.ts'
import { createTopologyDriver } from '../../src/testing/index.ts'
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
      point: fc.oneof(losable, fc.constantFrom('markers' as const, 'commit', 'fetch', 'heartbeat', 'join')),
      ms: fc.constantFrom(0, 5, 60, 600),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('cut' as const),
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

async function run(
  faults: readonly Fault[],
  processingGuarantee: RunSettings['processingGuarantee'],
  metrics: CountingMetrics,
): Promise<void> {
  const settings = { ...COURSE_SETTINGS, processingGuarantee }
  const driver = await createTopologyDriver(twoSteps(), { partitions: PARTITIONS, lanes: 2, metrics, settings })
  try {
    const course = new DeliveryCourse(driver, processingGuarantee)
    for (const each of faults) await course.apply(each)
    await course.heal()
    await course.check()
    assert.equal(metrics.inFlightNow, 0, 'I5: credits come back')
  } finally {
    await driver.stop().catch(() => {})
  }
}

describe('whatever happens', () => {
  it('I1, I2, I9, exactly once: each record has its outcome once, in order, and all is committed', async () => {
    const ends: Record<string, number> = { committed: 0, aborted: 0, lost: 0, fenced: 0 }
    const transactionEnded: PipelineMetrics['transactionEnded'] = (_topic, end) => void ends[end]!++
    await fc.assert(
      fc.asyncProperty(fc.array(fault, { minLength: 3, maxLength: 30 }), async faults => {
        // Counted beside the others, which have getters.
        const metrics = Object.assign(Object.create(countingMetrics()) as CountingMetrics, { transactionEnded })
        await run(faults, 'exactly_once', metrics)
      }),
      { numRuns: 60, interruptAfterTimeLimit: 12_000, markInterruptAsFailure: false },
    )
    for (const [end, count] of Object.entries(ends)) assert.ok(count > 0, `transactions were ${end}, too`)
  })

  it('I1, I2, at least once: the same courses lose nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fault, { minLength: 3, maxLength: 30 }), faults =>
        run(faults, 'at_least_once', countingMetrics()),
      ),
      { numRuns: 20, interruptAfterTimeLimit: 6_000 },
    )
  })
})
