import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import { type BreakerOptions, createBreaker } from '../../src/ops/breaker.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'

const outage = new RunInferenceError('MODEL_OUTAGE', 'the device is gone')
const badRow = new RunInferenceError('INFERENCE_FAILED', 'this row is bad')

function setUp(change: Partial<BreakerOptions> = {}) {
  const clock = createManualClock()
  const probes: PromiseWithResolvers<void>[] = []
  const changes: string[] = []
  const breaker = createBreaker({
    name: 'digits',
    clock,
    errorThresholdPercent: 50,
    volumeThreshold: 4,
    resetAfterMs: 1_000,
    windowMs: 10_000,
    probe() {
      const probe = Promise.withResolvers<void>()
      probes.push(probe)
      return probe.promise
    },
    ...change,
  })
  breaker.onChange((state, cause) => changes.push(cause instanceof Error ? `${state}: ${cause.message}` : state))
  const fails = (error: Error) =>
    assert.rejects(
      breaker.run(() => Promise.reject(error)),
      error,
    )
  const succeeds = () => breaker.run(async () => {})
  const refused = (code = 'MODEL_OUTAGE') =>
    assert.rejects(breaker.run(unreachable), (error: RunInferenceError) => error.code === code && error !== outage)
  return { clock, probes, changes, breaker, fails, succeeds, refused }
}

const unreachable = () => Promise.reject(new Error('an action must not run while the breaker refuses'))

async function opened(change: Partial<BreakerOptions> = {}) {
  const all = setUp(change)
  for (let call = 0; call < 4; call++) await all.fails(outage)
  assert.equal(all.breaker.state, 'open')
  return all
}

describe('breaker', () => {
  test('one failure is not a rate: it opens only when the window holds enough calls', async () => {
    const { breaker, fails, refused, changes } = setUp()
    for (let call = 0; call < 3; call++) await fails(outage)
    assert.equal(breaker.state, 'closed')
    await fails(outage)
    assert.equal(breaker.state, 'open')
    await refused()
    assert.deepEqual(changes, ['open: [MODEL_OUTAGE] the device is gone'])
  })

  test('it opens above the threshold, not at it', async () => {
    const { breaker, fails, succeeds } = setUp()
    for (let call = 0; call < 4; call++) {
      await succeeds()
      await fails(outage)
    }
    assert.equal(breaker.state, 'closed')
    await fails(outage)
    assert.equal(breaker.state, 'open')
  })

  test('bad rows never count: they neither open it, nor hide an outage', async () => {
    const { breaker, fails } = setUp()
    for (let call = 0; call < 50; call++) await fails(badRow)
    assert.equal(breaker.state, 'closed')
    for (let call = 0; call < 4; call++) await fails(outage)
    assert.equal(breaker.state, 'open')
  })

  test('half-open has exactly one probe, the control batch, and refuses user rows meanwhile', async () => {
    const { clock, breaker, probes, refused } = await opened()
    await clock.advance(999)
    assert.equal(probes.length, 0)
    await clock.advance(1)
    assert.deepEqual([breaker.state, probes.length], ['half-open', 1])
    await refused()
    await clock.advance(60_000)
    assert.equal(probes.length, 1)
  })

  test('a probe that passes closes it; calls run again', async () => {
    const { clock, breaker, probes, succeeds, changes } = await opened()
    await clock.advance(1_000)
    probes[0]!.resolve()
    await clock.advance(0)
    assert.equal(breaker.state, 'closed')
    await succeeds()
    assert.deepEqual(changes.slice(1), ['half-open', 'closed'])
  })

  test('a probe that fails leaves it open, and the next comes after the same time', async () => {
    const { clock, breaker, probes, refused } = await opened()
    for (let probe = 0; probe < 3; probe++) {
      await clock.advance(1_000)
      assert.equal(probes.length, probe + 1)
      probes[probe]!.reject(outage)
      await clock.advance(0)
      assert.equal(breaker.state, 'open')
      await refused()
    }
  })

  for (const [what, end] of [
    ['success', (call: PromiseWithResolvers<void>) => call.resolve()],
    ['bad row', (call: PromiseWithResolvers<void>) => call.reject(badRow)],
    ['outage', (call: PromiseWithResolvers<void>) => call.reject(outage)],
  ] as const) {
    test(`the late ${what} of a call from before does not touch a half-open breaker`, async () => {
      const { clock, breaker, probes, fails } = setUp()
      const late = Promise.withResolvers<void>()
      const running = breaker.run(() => late.promise)
      for (let call = 0; call < 4; call++) await fails(outage)
      await clock.advance(1_000)
      assert.equal(breaker.state, 'half-open')
      end(late)
      await Promise.allSettled([running])
      assert.equal(breaker.state, 'half-open')
      probes[0]!.resolve()
      await clock.advance(0)
      assert.equal(breaker.state, 'closed')
    })
  }

  test('after closing, failures from before the outage do not open it again', async () => {
    const { clock, breaker, probes, fails } = await opened()
    await clock.advance(1_000)
    probes[0]!.resolve()
    await clock.advance(0)
    for (let call = 0; call < 3; call++) await fails(outage)
    assert.equal(breaker.state, 'closed')
  })

  test('failures leave the window after windowMs', async () => {
    const { clock, breaker, fails } = setUp()
    for (let call = 0; call < 3; call++) await fails(outage)
    await clock.advance(10_000)
    for (let call = 0; call < 3; call++) await fails(outage)
    assert.equal(breaker.state, 'closed')
    await clock.advance(5_000)
    await fails(outage)
    assert.equal(breaker.state, 'open')
  })

  test('no action times out: its result arrives however long it takes', async () => {
    const { clock, breaker } = setUp()
    const slow = Promise.withResolvers<string>()
    const running = breaker.run(() => slow.promise)
    await clock.advance(3_600_000)
    slow.resolve('done')
    assert.equal(await running, 'done')
    assert.equal(breaker.state, 'closed')
  })

  test('an action that throws at once, or gives nothing, is treated like any other', async () => {
    const { breaker } = setUp()
    const throwing = () => {
      throw badRow
    }
    await assert.rejects(breaker.run(throwing), badRow)
    assert.equal(await breaker.run(async () => undefined), undefined)
  })

  test('shutdown: no probe any more, not even the end of a running one, and calls reject CLOSED', async () => {
    const { clock, breaker, probes, changes, refused } = await opened()
    await clock.advance(1_000)
    breaker.shutdown()
    probes[0]!.reject(outage)
    await clock.advance(10_000)
    assert.equal(probes.length, 1)
    assert.deepEqual(changes.slice(1), ['half-open'])
    await refused('CLOSED')

    const waiting = await opened()
    waiting.breaker.shutdown()
    await waiting.clock.advance(10_000)
    assert.equal(waiting.probes.length, 0)
  })

  test('an open breaker on the real clock does not keep the process alive', async () => {
    const before = process.getActiveResourcesInfo()
    const breaker = createBreaker({ name: 'digits', volumeThreshold: 1, probe: unreachable })
    await assert.rejects(breaker.run(() => Promise.reject(outage)))
    assert.equal(breaker.state, 'open')
    assert.deepEqual(process.getActiveResourcesInfo(), before)
    breaker.shutdown()
  })

  test('a threshold that could never be passed is refused', () => {
    for (const errorThresholdPercent of [100, -1, Number.NaN]) {
      assert.throws(() => setUp({ errorThresholdPercent }), /below 100/)
    }
  })
})
