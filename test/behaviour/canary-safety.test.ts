// What a canary does must not be taken for what the step does: neither its failures, nor its successes, nor a call that never ends.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Executor } from '../../src/models/executor.ts'
import { Split } from '../../src/refresh/split.ts'
import { createFaultyExecutor, type FaultyExecutor } from '../../src/testing/faulty-executor.ts'
import type { DriverOptions } from '../../src/testing/index.ts'
import { addingTopology, assertShare, canary, KEYS, onTrial } from '../support/canaries.ts'
import { countingMetrics } from '../support/counting-metrics.ts'

const STUCK_MS = 60_000

/** Lanes that fail when the test says so. */
async function onFaultyTrial(options: DriverOptions = {}) {
  let executor: FaultyExecutor | undefined
  let now = () => 0
  const clock = { now: () => now(), wallTime: () => now(), after: () => () => {} }
  const wrapExecutor = (inner: Executor) => {
    executor = createFaultyExecutor(inner, { clock })
    return executor
  }
  const trial = await onTrial(addingTopology([], { maxSize: 10 }), { wrapExecutor, ...options })
  now = () => trial.driver.clock.now()
  return { ...trial, executor: executor! }
}

describe('dead letters of a canary', () => {
  const settings = { floodRatio: 0.2, floodMinRecords: 10 }
  const abortIf = { failureFactor: 2, latencyFactor: 1_000, minRecords: 150 }

  it('F6: are for its rule to judge: the step does not halt, before the verdict or after it', async () => {
    const trial = await onTrial(undefined, { settings })
    await trial.canary(canary('picky-2', 50, { abortIf }))
    const sums = await trial.pipe()
    assert.ok(sums.length < 0.8 * KEYS.length, `${sums.length} of ${KEYS.length} have come out`)
    assert.ok((await trial.published()).candidate, 'its rule has not seen enough')
    assert.deepEqual(trial.driver.running.health().problems, {})
    await trial.pipe()
    assert.match((await trial.published()).reason!, /failed on the candidate/)
    assert.equal((await trial.pipe()).length, KEYS.length)
    assert.deepEqual(trial.driver.running.health().problems, {})
    await trial.driver.stop()
  })

  it('nor do those come that were in a lane when the verdict fell', async () => {
    const trial = await onFaultyTrial({ settings: { floodRatio: 0.001, floodMinRecords: 10 }, lanes: 3 })
    await trial.canary(canary('picky-2', 80, { abortIf: { ...abortIf, minRecords: 10 } }))
    const goOn = trial.executor.hang()
    await trial.send()
    goOn()
    await trial.driver.advance(5_000)
    const judged = /s (\d+) of \d+ records .* failed on the candidate/.exec((await trial.published()).reason!)![1]
    const letters = await trial.driver.read('t.add.failed-inference')
    assert.ok(letters.length > Number(judged), `${letters.length} dead letters, ${judged} by the verdict`)
    assert.deepEqual(trial.driver.running.health().problems, {})
    await trial.driver.stop()
  })

  it('are those of the step where nothing judges the trial', async () => {
    const trial = await onTrial(undefined, { settings })
    await trial.canary(canary('picky-2', 50))
    await trial.pipe()
    assert.match(trial.driver.running.health().problems.halted!, /TOO_MANY_DEAD_LETTERS\] inference of step add/)
    await trial.driver.stop()
  })

  it('do not hide those of the stable model, nor does what it gets right', async () => {
    const trial = await onTrial(undefined, { settings })
    await trial.publish('picky-4')
    const candidate = canary('2', 90, { abortIf })
    await trial.canary(candidate)
    const split = new Split(candidate)
    const isChosen = (key: string) => split.hasKey(Buffer.from(key), 0, key.length)
    const others = KEYS.filter(key => !isChosen(key))
    await trial.pipe(KEYS.filter(isChosen))
    await trial.pipe(others)
    const { halted } = trial.driver.running.health().problems
    const [, total] = /inference of step add: \d+ of (\d+) records failed/.exec(halted!)!
    assert.ok(Number(total) <= others.length, halted)
    await trial.driver.stop()
  })
})

describe('an outage of the stable model', () => {
  it('opens the breaker of the step, however well a canary works', async () => {
    const metrics = countingMetrics()
    const trial = await onFaultyTrial({ metrics })
    const [stableLane] = trial.executor.lanes
    const candidate = canary('2', 80)
    await trial.canary(candidate)
    assertShare(await trial.pipe(), candidate, '1')
    const recover = trial.executor.lose(stableLane!.id)
    for (let i = 0; i < 80 && !metrics.breaker.includes('open'); i++) {
      await trial.send(KEYS.slice(0, 50))
      await trial.driver.advance(100)
    }
    assert.ok(metrics.breaker.includes('open'))
    recover()
    await trial.driver.advance(30_000)
    assert.equal(metrics.breaker.at(-1), 'closed')
    assertShare(await trial.pipe(), candidate, '1')
    assert.deepEqual(trial.driver.running.health().problems, {})
    await trial.driver.stop()
  })
})

describe('a canary that is stuck in a thread', () => {
  it('is ended for all before the instance ends: nobody loads it again', async () => {
    const trial = await onFaultyTrial({ settings: { stuckMs: STUCK_MS } })
    await trial.canary(canary('2', 100))
    const goOn = trial.executor.hang()
    await trial.send(KEYS.slice(0, 10))
    await trial.driver.advance(STUCK_MS - 2_000)
    assert.ok((await trial.published()).candidate)
    await trial.driver.advance(4_000)
    const { candidate, reason } = await trial.published()
    assert.equal(candidate, undefined)
    assert.match(reason!, /a call of the candidate has been inside native code for 6\d{4} ms, and stuckMs is 60000/)
    assert.equal(trial.driver.running.health().live, false)
    assert.ok(
      trial.executor.lanes.some(lane => lane.busyMs() > STUCK_MS),
      'who ends the process still sees the lane',
    )
    goOn()
    await trial.driver.stop()
  })
})
