import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLogger } from '../../src/ops/logger.ts'
import { FunctionTimer, type TimedFunction } from '../../src/pipeline/function-timing.ts'

const fnOf = (step: string, index = 0): TimedFunction => ({
  point: { topic: 't', stage: 'preprocess', step, node: `step ${step}`, listeners: [] },
  index,
})

function timed() {
  let now = 0
  const told: [string, number, number][] = []
  const logged: object[] = []
  const timer = new FunctionTimer({
    now: () => now,
    metrics: { slowFunction: ({ step }, index, ms) => void told.push([step, index, ms]) },
    logger: { ...silentLogger, warn: fields => void logged.push(fields) },
  })
  const call = (fn: TimedFunction, ms: number) => {
    now += ms
    timer.called(fn)
  }
  const pass = (ms: number) => {
    now += ms
  }
  return { timer, told, logged, call, pass }
}

const endOfTurn = () => new Promise(resolve => setImmediate(resolve))

test('T1: one slow call is told wherever it stands among quick ones', async () => {
  const fn = fnOf('a')
  for (let slow = 0; slow < 40; slow++) {
    const { timer, told, call } = timed()
    timer.begin()
    for (let i = 0; i < 40; i++) call(fn, i === slow ? 150 : 0.001)
    await endOfTurn()
    assert.equal(told.length, 1, `call ${slow}`)
    assert.deepEqual(told[0]!.slice(0, 2), ['a', 0])
    assert.ok(told[0]![2] >= 150 && told[0]![2] < 151)
  }
})

test('T1: also the only call of a block, and those that a new piece of work interrupts', async () => {
  const { timer, told, call } = timed()
  timer.begin()
  call(fnOf('a'), 150)
  timer.begin()
  call(fnOf('b'), 0)
  call(fnOf('b'), 0)
  call(fnOf('b'), 150)
  timer.begin()
  await endOfTurn()
  assert.deepEqual(told, [
    ['a', 0, 150],
    ['b', 0, 150],
  ])
})

test('T2: behind a slow one calls are timed one by one, and the right function is told', () => {
  const { timer, told, call } = timed()
  const quick = fnOf('quick')
  const slow = fnOf('slow', 1)
  timer.begin()
  for (let i = 0; i < 100; i++) {
    call(quick, 0.001)
    call(slow, i < 50 ? 0.001 : 120)
  }
  const wrong = told.filter(([step]) => step === 'quick').length
  // Four of the first slow ones may share a measured time.
  assert.ok(told.filter(([step]) => step === 'slow').length >= 50 - 3)
  assert.equal(wrong, 1)
})

test('T3: time between two pieces of work belongs to no function', async () => {
  const { timer, told, call, pass } = timed()
  timer.begin()
  call(fnOf('a'), 1)
  await endOfTurn()
  pass(10_000)
  timer.begin()
  call(fnOf('a'), 1)
  assert.deepEqual(told, [])
})

test('the log says it once a minute and function', () => {
  const { timer, told, logged, call } = timed()
  const [a, b] = [fnOf('a'), fnOf('b')]
  timer.begin()
  for (let i = 0; i < 3; i++) {
    call(a, 200)
    call(b, 200)
  }
  assert.equal(told.length, 6)
  assert.equal(logged.length, 2)
  call(a, 60_000)
  assert.equal(logged.length, 3)
})
