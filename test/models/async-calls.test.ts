import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AsyncCall, AsyncCalls } from '../../src/models/async-calls.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'

class TestCall implements AsyncCall {
  readonly value: unknown
  readonly timeoutMs: number
  isLost = false
  readonly ends: unknown[] = []

  constructor(value: unknown, timeoutMs = 1_000) {
    this.value = value
    this.timeoutMs = timeoutMs
  }

  entering(): void {}
  left(): void {}
  done(result: unknown): void {
    this.ends.push({ result })
  }
  threw(error: unknown): void {
    this.ends.push({ error })
  }
  expired(): void {
    this.ends.push('expired')
  }
}

/** A function whose calls the test settles, one by one. */
function settledByHand(concurrency: number) {
  const clock = createManualClock()
  const open = new Map<unknown, PromiseWithResolvers<unknown>>()
  const called: unknown[] = []
  const fn = (value: unknown) => {
    called.push(value)
    const promise = Promise.withResolvers<unknown>()
    open.set(value, promise)
    return promise.promise
  }
  const calls = new AsyncCalls({ fn, concurrency, clock, onFatal: error => assert.fail(String(error)) })
  const push = (...values: unknown[]) =>
    values.map(value => {
      const call = value instanceof TestCall ? value : new TestCall(value)
      calls.push(call)
      return call
    })
  return { clock, calls, called, push, settle: (value: unknown) => open.get(value)! }
}

test('F1: so many calls are under way, and no more; the next begins when one has settled', async () => {
  const { clock, called, push, settle } = settledByHand(2)
  const [a, , c] = push('a', 'b', 'c', 'd')
  assert.deepEqual(called, ['a', 'b'])
  settle('b').resolve(1)
  await clock.settle()
  assert.deepEqual(called, ['a', 'b', 'c'])
  settle('c').reject(new Error('no'))
  await clock.settle()
  assert.deepEqual(called, ['a', 'b', 'c', 'd'])
  assert.deepEqual(c!.ends, [{ error: new Error('no') }])
  assert.deepEqual(a!.ends, [])
})

test('F2: what does not settle in its time expires once, its place is free, and what comes later is ignored', async () => {
  const { clock, called, push, settle } = settledByHand(1)
  const [a, b] = push('a', 'b')
  await clock.advance(999)
  assert.deepEqual(called, ['a'])
  await clock.advance(1)
  assert.deepEqual(a!.ends, ['expired'])
  assert.deepEqual(called, ['a', 'b'])
  settle('a').resolve('late')
  settle('b').resolve('good')
  await clock.settle()
  assert.deepEqual(a!.ends, ['expired'])
  assert.deepEqual(b!.ends, [{ result: 'good' }])
})

test('F2: each call has its own time, also a shorter one that began later', async () => {
  const { clock, push } = settledByHand(3)
  const [long] = push(new TestCall('long', 1_000))
  await clock.advance(100)
  const [short, middle] = push(new TestCall('short', 200), new TestCall('middle', 500))
  await clock.advance(200)
  assert.deepEqual([long!.ends, short!.ends, middle!.ends], [[], ['expired'], []])
  await clock.advance(700)
  assert.deepEqual([long!.ends, middle!.ends], [['expired'], ['expired']])
})

test('F3: calls that nobody wants any more are not made', async () => {
  const { clock, calls, called, push, settle } = settledByHand(1)
  const [, lost] = push('a', 'lost', 'dropped', 'b')
  lost!.isLost = true
  calls.dropLost()
  const dropped = push('late')[0]!
  dropped.isLost = true
  settle('a').resolve(1)
  await clock.settle()
  settle('dropped').resolve(1)
  await clock.settle()
  settle('b').resolve(1)
  await clock.settle()
  assert.deepEqual(called, ['a', 'dropped', 'b'])
})

test('results that are there at once, and throws, need no place and no stack that grows', async () => {
  const clock = createManualClock()
  const fn = (value: unknown) => {
    if (value === 'bad') throw new Error('at once')
    return value
  }
  const calls = new AsyncCalls({ fn, concurrency: 1, clock, onFatal: error => assert.fail(String(error)) })
  const many = Array.from({ length: 50_000 }, (_, i) => new TestCall(i === 25_000 ? 'bad' : i))
  // Each one that is done pushes the next: deep recursion, if the calls nested.
  for (const [i, call] of many.entries()) {
    const next = many[i + 1]
    call.done = result => {
      call.ends.push({ result })
      if (next) calls.push(next)
    }
    call.threw = error => {
      call.ends.push({ error })
      if (next) calls.push(next)
    }
  }
  calls.push(many[0]!)
  assert.ok(many.every(({ ends }) => ends.length === 1))
  assert.deepEqual(many[25_000]!.ends, [{ error: new Error('at once') }])
})

test('a thenable that throws where it is asked is an error of the call', async () => {
  const clock = createManualClock()
  const fn = () => ({
    // biome-ignore lint/suspicious/noThenProperty: that is what is tested
    get then(): unknown {
      throw new Error('no then')
    },
  })
  const calls = new AsyncCalls({ fn, concurrency: 1, clock, onFatal: error => assert.fail(String(error)) })
  const call = new TestCall('a')
  calls.push(call)
  assert.deepEqual(call.ends, [{ error: new Error('no then') }])
})

test('after close nothing is called, and nothing ends', async () => {
  const { clock, calls, called, push, settle } = settledByHand(1)
  const [a, b] = push('a', 'b')
  calls.close()
  settle('a').resolve(1)
  await clock.advance(5_000)
  assert.deepEqual([a!.ends, b!.ends, called], [[], [], ['a']])
})

test('F3: nothing is called after the close', async () => {
  const { calls, called, push } = settledByHand(1)
  push('a', 'b')
  calls.close()
  push('c')
  assert.deepEqual(called, ['a'])
})
