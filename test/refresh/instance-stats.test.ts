// What an instance tells of its last half minute: read from its metrics, bounded, and the same again when it is read back.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createMetrics } from '../../src/ops/metrics.ts'
import { type InstanceStats, STATS_METRICS, statsReader } from '../../src/refresh/instance-stats.ts'
import { encodeStatus, type InstanceStatus, parseStatus } from '../../src/refresh/status-record.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { anyStats, statsOf } from '../support/instance-stats.ts'

const bare: InstanceStatus = {
  ...{ instance: 'a', memberIds: [], slots: [], ignored: {}, writtenAt: '2026-01-01T00:00:00.000Z' },
}
const read = (stats: unknown) => parseStatus(Buffer.from(JSON.stringify({ ...bare, stats })), 'record s/0/1')
const written = (stats: InstanceStats) => JSON.parse(encodeStatus({ ...bare, stats }).toString()).stats

describe('what an instance did lately', () => {
  it('is nothing before the second reading, and then what was counted since', async () => {
    const clock = createManualClock()
    const metrics = createMetrics()
    const stats = statsReader(metrics, clock)
    metrics.unitAcknowledged('in', 7, 3)
    assert.equal(await stats(), undefined)
    await clock.advance(30_000)
    metrics.unitAcknowledged('in', 5, 3)
    for (const reason of ['count', 'idle'] as const)
      metrics.batchDispatched('classify', reason, 3, { firstMs: 2, allMs: 4 }, 0)
    metrics.batchSucceeded('classify', 0, 3, 0, 20, 1)
    metrics.deadLetters('inference', 'classify', 'TIMEOUT', 2)
    const { seconds, records, latency, batches } = (await stats())!
    assert.deepEqual([seconds, records], [30, { in: 0, out: 5, failed: 2 }])
    assert.deepEqual([batches.rows, batches.closed], [6, { count: 1, idle: 1 }])
    const filled = (all: readonly { upTo: number; count: number }[]) => all.filter(({ count }) => count > 0)
    assert.deepEqual(filled(batches.sizes), [{ upTo: 4, count: 2 }])
    assert.deepEqual(filled(latency.compute), [{ upTo: 0.025, count: 1 }])
    assert.deepEqual(filled(latency.wait), [{ upTo: 0.0025, count: 2 }])
  })

  it('is of the last records alone, however many are written, and metrics are read now and then', async () => {
    const clock = createManualClock()
    const metrics = createMetrics()
    let reads = 0
    const counted: typeof metrics.read = name => {
      reads++
      return metrics.read(name)
    }
    const stats = statsReader({ read: counted }, clock)
    for (let second = 0; second < 120; second++) {
      await stats()
      await clock.advance(1_000)
      metrics.unitAcknowledged('in', 10, 3)
    }
    const last = await stats()
    assert.ok(last!.seconds <= 45 && last!.seconds >= 30, `${last!.seconds}`)
    assert.equal(last!.records.out, 10 * last!.seconds)
    assert.equal(reads, 13 * STATS_METRICS.length)
  })

  it('leaves alone what is reset by asking', async () => {
    const metrics = createMetrics()
    metrics.stalled(1_500)
    await statsReader(metrics, createManualClock())()
    assert.match(await metrics.text(), /kri_event_loop_stall_seconds 1\.5/)
  })
})

describe('what an instance did lately, as a part of its status', () => {
  it('is read as it was written, and takes less than 4 KB', () => {
    fc.assert(
      fc.property(anyStats(10), stats => {
        assert.ok(JSON.stringify(written(stats)).length < 4_096)
        assert.deepEqual(read(written(stats)).stats, stats)
      }),
    )
    const most = statsOf(bucket => 4_000_000_000 + bucket)
    assert.ok(JSON.stringify(written(most)).length < 4_096, `${JSON.stringify(written(most)).length}`)
  })

  it('is left out of records that an earlier version wrote, and what a later one adds is left out of it', () => {
    assert.deepEqual(parseStatus(Buffer.from(JSON.stringify(bare)), 'r'), bare)
    assert.equal('stats' in parseStatus(Buffer.from(JSON.stringify(bare)), 'r'), false)
    const stats = statsOf(bucket => bucket)
    const later = { ...written(stats), more: 1 }
    later.records = { ...later.records, late: 3 }
    assert.deepEqual(read(later).stats, stats)
  })

  const good = written(statsOf(bucket => bucket))
  const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [i + 1, 1]))
  const wrong: readonly (readonly [field: string, stats: unknown])[] = [
    ['stats', 7],
    ['stats', null],
    ['stats.seconds', { ...good, seconds: 0 }],
    ['stats.seconds', { ...good, seconds: '30' }],
    ['stats.records', { ...good, records: [] }],
    ['stats.records.failed', { ...good, records: { in: 1, out: 1 } }],
    ['stats.records.in', { ...good, records: { in: -1, out: 1, failed: 0 } }],
    ['stats.latency', { ...good, latency: undefined }],
    ['stats.latency.queue', { ...good, latency: { ...good.latency, queue: 'x' } }],
    ['stats.latency.wait.1', { ...good, latency: { ...good.latency, wait: { 1: 0.5 } } }],
    ['stats.latency.total.soon', { ...good, latency: { ...good.latency, total: { soon: 1 } } }],
    ['stats.latency.total.-1', { ...good, latency: { ...good.latency, total: { '-1': 1 } } }],
    ['stats.latency.compute', { ...good, latency: { ...good.latency, compute: many } }],
    ['stats.batches.rows', { ...good, batches: { ...good.batches, rows: null } }],
    ['stats.batches.closed.idle', { ...good, batches: { ...good.batches, closed: { idle: '1' } } }],
    ['stats.batches.closed', { ...good, batches: { ...good.batches, closed: many } }],
    ['stats.batches.sizes', { ...good, batches: { ...good.batches, sizes: [] } }],
  ]
  for (const [i, [field, stats]] of wrong.entries())
    it(`a record whose ${field} is wrong is refused by that name (${i + 1})`, () => {
      assert.throws(() => read(stats), {
        code: 'METADATA_INVALID',
        message: new RegExp(`record s/0/1: ${field.replaceAll('.', '\\.')} cannot be used`),
      })
    })
})
