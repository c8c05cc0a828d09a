// What an instance's console keeps of its metrics: readings of what counts, and of gauges what they have now.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { metricReadings } from '../../src/ops/metric-readings.ts'
import { createPrometheus } from '../../src/ops/prometheus.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'

it('gauges are not kept for each second of a minute, and told as they are now', async () => {
  const clock = createManualClock()
  const prometheus = createPrometheus()
  const done = prometheus.counter('done_total', 'Done')
  let level = 0
  prometheus.asked('lag', 'Lag', ['partition'], set => {
    for (let partition = 0; partition < 10; partition++) set(level, { partition })
  })
  const readings = metricReadings(prometheus, clock, ['done_total'], 60_000, ['lag'])
  await readings.read()
  await clock.advance(1_000)
  done.inc(5)
  level = 7
  await readings.read()
  assert.deepEqual(
    readings.now('lag').map(({ value }) => value),
    Array.from({ length: 10 }, () => 7),
  )
  assert.equal(readings.rates('done_total', 3_000).get(''), 5)
  assert.equal(readings.growth('lag', 3_000, 'partition').get('1'), 0, 'no reading of it was kept')
})
