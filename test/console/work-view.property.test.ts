// Latency and batches of a fleet, made of what its instances tell.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { fleetWork } from '../../src/console/work-view.ts'
import type { Bucket } from '../../src/ops/metric-readings.ts'
import type { InstanceStats } from '../../src/refresh/instance-stats.ts'
import { anyStats, statsOf } from '../support/instance-stats.ts'

const fleet = fc.array(anyStats(10), { minLength: 1, maxLength: 5 })
const close = (got: number, expected: number, what: string) =>
  assert.ok(Math.abs(got - expected) <= 1e-9 * Math.max(1, Math.abs(expected)), `${what}: ${got}, expected ${expected}`)

/** One instance that did what all of these did, each in the same time. */
function asOne(all: readonly InstanceStats[]): InstanceStats {
  const buckets = (of: (stats: InstanceStats) => readonly Bucket[]) =>
    of(all[0]!).map(({ upTo }, i) => ({ upTo, count: all.reduce((sum, each) => sum + of(each)[i]!.count, 0) }))
  const sum = (of: (stats: InstanceStats) => number) => all.reduce((total, each) => total + of(each), 0)
  return {
    seconds: all[0]!.seconds,
    records: { in: sum(({ records }) => records.in), out: 0, failed: 0 },
    latency: {
      wait: buckets(({ latency }) => latency.wait),
      queue: buckets(({ latency }) => latency.queue),
      compute: buckets(({ latency }) => latency.compute),
      total: buckets(({ latency }) => latency.total),
    },
    batches: {
      rows: sum(({ batches }) => batches.rows),
      closed: Object.fromEntries(
        Object.keys(all[0]!.batches.closed).map(why => [why, sum(({ batches }) => batches.closed[why]!)]),
      ),
      sizes: buckets(({ batches }) => batches.sizes),
    },
  }
}

function assertSame(got: ReturnType<typeof fleetWork>, expected: ReturnType<typeof fleetWork>): void {
  const numbers = (value: unknown, path: string): [string, number][] =>
    typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([name, each]) => numbers(each, `${path}.${name}`))
      : [[path, Number(value)]]
  const [a, b] = [new Map(numbers(got, '')), new Map(numbers(expected, ''))]
  assert.deepEqual([...a.keys()].toSorted(), [...b.keys()].toSorted())
  for (const [path, value] of a) close(value, b.get(path)!, path)
}

describe('the work of a fleet', () => {
  it('is that of one instance which did it all: quantiles too are of the whole', () => {
    fc.assert(
      fc.property(fleet, told => {
        const all = told.map(each => ({ ...each, seconds: 30 }))
        assertSame(fleetWork(all), fleetWork([asOne(all)]))
      }),
    )
  })

  it('is the same in whatever order they tell', () => {
    fc.assert(fc.property(fleet, all => assertSame(fleetWork(all.toReversed()), fleetWork(all))))
  })

  it('has the quantiles of each where all are alike, and otherwise some between theirs', () => {
    fc.assert(
      fc.property(anyStats(10), fc.integer({ min: 1, max: 4 }), (stats, times) => {
        const { latency } = fleetWork(new Array(times).fill(stats))
        assert.equal(latency === undefined, fleetWork([stats]).latency === undefined)
        if (latency) assertSame({ latency }, { latency: fleetWork([stats]).latency! })
      }),
    )
    fc.assert(
      fc.property(fleet, all => {
        const { latency } = fleetWork(all)
        const each = all.map(stats => fleetWork([stats]).latency)
        if (!latency || each.includes(undefined)) return
        for (const time of ['compute', 'total'] as const)
          for (const share of ['p50', 'p99'] as const) {
            const theirs = each.map(one => one![time][share])
            assert.ok(latency[time][share] >= Math.min(...theirs) - 1e-6, `${time} ${share}`)
            assert.ok(latency[time][share] <= Math.max(...theirs) + 1e-6, `${time} ${share}`)
          }
      }),
    )
  })

  it('has rates that add up, whatever time each tells of, and counts each instance by its rate', () => {
    fc.assert(
      fc.property(fleet, all => {
        const { batches } = fleetWork(all)
        const rate = ({ batches: { closed }, seconds }: InstanceStats) =>
          Object.values(closed).reduce((sum, count) => sum + count, 0) / seconds
        if (batches)
          close(
            batches.perSecond,
            all.reduce((sum, each) => sum + rate(each), 0),
            'batches a second',
          )
      }),
    )
    // The same work in three times the time counts a third.
    const quick = statsOf(place => (place === 3 + 2 * 16 + 3 ? 300 : 1), 10)
    const slow = { ...quick, seconds: 30 }
    const thrice = [quick, { ...asOne([slow, slow, slow]), seconds: 30 }]
    assertSame({ latency: fleetWork(thrice).latency! }, { latency: fleetWork([quick]).latency! })
  })

  it('is not known where nobody tells, and no 0 where nothing was done', () => {
    assert.deepEqual(fleetWork([]), {})
    assert.deepEqual(fleetWork([statsOf(() => 0)]), {})
  })

  it('takes bounds that only another version has', () => {
    const stats = statsOf(() => 0)
    const own = { ...stats, latency: latencyOf([{ upTo: 1, count: 10 }]) }
    const other = { ...stats, latency: latencyOf([{ upTo: 0.5, count: 0 }, ...[{ upTo: 2, count: 10 }]]) }
    const { p50, p99 } = fleetWork([own, other]).latency!.compute
    assert.ok(p50 <= 1_000 && p99 <= 2_000 && p99 > 1_000, `${p50} ${p99}`)
  })
})

function latencyOf(buckets: readonly Bucket[]): InstanceStats['latency'] {
  return { wait: buckets, queue: buckets, compute: buckets, total: buckets }
}
