// Rows that wait for a canary when it ends: they are the stable model's, and nobody else's.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { keyed, topology } from 'kafka-run-inference'
import type { Executor } from '../../src/models/executor.ts'
import { createFaultyExecutor, type FaultyExecutor } from '../../src/testing/faulty-executor.ts'
import { adding, addingTopology, canary, KEYS, numbersIn, onTrial, sumsOut } from '../support/canaries.ts'

async function faulty(of: Parameters<typeof onTrial>[0]) {
  let executor: FaultyExecutor | undefined
  const clock = { now: () => 0, wallTime: () => 0, after: () => () => {} }
  const wrapExecutor = (inner: Executor) => {
    executor = createFaultyExecutor(inner, { clock })
    return executor
  }
  const trial = await onTrial(of, { wrapExecutor })
  return { ...trial, executor: executor! }
}

const count = (sums: readonly { readonly by: string }[], by: string) => sums.filter(sum => sum.by === by).length

describe('rows that wait for a canary', () => {
  for (const batching of ['rows', 'batches that records bring'] as const) {
    it(`(${batching}) are the stable model's when it ends, not those of the next one`, async () => {
      const options = { batch: { maxSize: 10 }, modelMetadata: true }
      const handler = keyed(adding('1'))
      const brought = numbersIn
        .map(record => [record])
        .runInference('add', handler.withNoBatching(), { modelMetadata: true })
      const step = batching === 'rows' ? numbersIn.runInference('add', handler, options) : brought
      const trial = await faulty(topology('t', [step.to('out', sumsOut)]))
      await trial.canary(canary('2', 100))
      const goOn = trial.executor.hang()
      await trial.send()
      await trial.abort()
      await trial.canary(canary('3', 100))
      assert.equal(trial.status().candidate!.state, 'current')
      goOn()
      await trial.driver.advance(1_000)
      const sums = await trial.pipe(KEYS.slice(0, 50))
      assert.equal(sums.length, KEYS.length + 50)
      assert.equal(count(sums, '3'), 50, 'what has come since')
      assert.ok(count(sums, '2') > 0, 'what had begun')
      assert.ok(count(sums, '1') > 100, 'what has waited')
      assert.equal(trial.driver.failures.length, 0)
      await trial.driver.stop()
    })
  }

  it('that is lost while another one is loaded in its place are the stable model’s', async () => {
    const trial = await faulty(addingTopology([], { maxSize: 10 }))
    const stableLane = trial.executor.lanes[0]
    await trial.canary(canary('2', 100))
    const lane = trial.executor.lanes.find(each => each !== stableLane)!
    const goOn = trial.executor.hang()
    await trial.send()
    await trial.canary(canary('3', 100))
    trial.executor.lose(lane.id)
    goOn()
    await trial.driver.advance(1_000)
    const sums = await trial.pipe(KEYS.slice(0, 50))
    assert.deepEqual([count(sums, '1'), count(sums, '3')], [KEYS.length, 50])
    await trial.driver.stop()
  })

  it('are dead letters when it ends and no lane can load the stable one', async () => {
    const mappings = [
      { keys: KEYS.slice(0, 60), handler: adding('bad-1') },
      { keys: KEYS.slice(60), handler: adding('3') },
    ]
    const step = numbersIn.runInference('add', keyed(mappings), { batch: { maxSize: 10 }, modelMetadata: true })
    const trial = await faulty(topology('t', [step.to('out', sumsOut)]))
    await trial.canary(canary('2', 100), KEYS[0])
    const goOn = trial.executor.hang()
    await trial.send()
    await trial.abort(KEYS[0])
    goOn()
    const sums = await trial.pipe(KEYS.slice(150))
    assert.deepEqual([count(sums, '3'), count(sums, '2') + trial.driver.failures.length], [190, 60])
    assert.ok(trial.driver.failures.length > 0)
    assert.match(trial.driver.failures[0]!.message, /cannot be loaded.*garbage in bad-1/)
    await trial.driver.stop()
  })
})
