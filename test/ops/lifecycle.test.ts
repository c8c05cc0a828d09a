import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { suite, test } from 'node:test'
import { onTermination } from '../../src/ops/lifecycle.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'

function setup(stop: () => Promise<void>, { isLed = false } = {}) {
  const clock = createManualClock()
  const signals = new EventEmitter()
  const calls: string[] = []
  const dispose = onTermination({
    stop: () => {
      calls.push('stop')
      return stop()
    },
    budgetMs: 10_000,
    isLed,
    clock,
    logger: silentLogger,
    source: signals,
    die: () => void calls.push('die'),
  })
  return { clock, signals, calls, dispose }
}

suite('termination', () => {
  test('1. the first signal drains, once', async () => {
    const { clock, signals, calls } = setup(async () => {})
    signals.emit('SIGTERM', 'SIGTERM')
    await clock.advance(60_000)
    assert.deepEqual(calls, ['stop'])
  })

  test('2. the second signal ends at once', async () => {
    const { clock, signals, calls } = setup(() => new Promise(() => {}))
    signals.emit('SIGINT', 'SIGINT')
    await clock.advance(100)
    assert.deepEqual(calls, ['stop'])
    signals.emit('SIGTERM', 'SIGTERM')
    assert.deepEqual(calls, ['stop', 'die'])
  })

  test('2. the same signal within a second is the first once more, passed on by whoever started the process', async () => {
    const { clock, signals, calls } = setup(() => new Promise(() => {}))
    signals.emit('SIGINT', 'SIGINT')
    await clock.advance(999)
    signals.emit('SIGINT', 'SIGINT')
    assert.deepEqual(calls, ['stop'])
    await clock.advance(1)
    signals.emit('SIGINT', 'SIGINT')
    assert.deepEqual(calls, ['stop', 'die'])
  })

  test('2. a process that is led goes on draining at a second signal, and has its time all the same', async () => {
    const { clock, signals, calls } = setup(() => new Promise(() => {}), { isLed: true })
    signals.emit('SIGTERM', 'SIGTERM')
    // Later than an echo of the first.
    await clock.advance(4_999)
    signals.emit('SIGTERM', 'SIGTERM')
    await clock.advance(10_000)
    assert.deepEqual(calls, ['stop'])
    await clock.advance(1)
    assert.deepEqual(calls, ['stop', 'die'])
  })

  test('2. a drain that outlasts its budget and the time for closing ends the process', async () => {
    const { clock, signals, calls } = setup(() => new Promise(() => {}))
    signals.emit('SIGTERM', 'SIGTERM')
    await clock.advance(14_999)
    assert.deepEqual(calls, ['stop'])
    await clock.advance(1)
    assert.deepEqual(calls, ['stop', 'die'])
  })

  test('a stop that fails is left to whoever started the topology', async () => {
    const { clock, signals, calls } = setup(() => Promise.reject(new Error('as told')))
    signals.emit('SIGTERM', 'SIGTERM')
    await clock.advance(60_000)
    assert.deepEqual(calls, ['stop'])
  })

  test('nobody listens after the end', () => {
    const { signals, calls, dispose } = setup(async () => {})
    dispose()
    signals.emit('SIGTERM', 'SIGTERM')
    assert.deepEqual(calls, [])
    assert.equal(signals.listenerCount('SIGINT'), 0)
  })
})
