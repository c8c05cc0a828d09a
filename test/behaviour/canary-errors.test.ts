// `exceptionHandling.only` with a model on trial: what it throws ends its trial, and never the application.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type KV, keyed, type StepOptions, topology } from 'kafka-run-inference'
import type { Executor } from '../../src/models/executor.ts'
import { createFaultyExecutor, type FaultyExecutor } from '../../src/testing/faulty-executor.ts'
import type { DriverOptions } from '../../src/testing/index.ts'
import { adding, canary, KEYS, numbersIn, onTrial, sumsOut } from '../support/canaries.ts'

type Element = KV<string, string>
const options = (change: StepOptions['exceptionHandling'] = {}, maxSize = 10) =>
  ({ batch: { maxSize }, modelMetadata: true, exceptionHandling: { only: [], ...change } }) satisfies StepOptions

/** Throws on what the second model has made. */
const dislikesTwo = <T>(value: T): T => {
  if (/ by 2/.test(JSON.stringify(value))) throw new RangeError('not by 2')
  return value
}
const plain = (step: StepOptions['exceptionHandling'] = {}) =>
  topology('t', [numbersIn.runInference('add', keyed(adding('1')), options(step)).to('out', sumsOut)])

async function trialOf(of: ReturnType<typeof topology>, modelId: string, driverOptions: DriverOptions = {}) {
  const trial = await onTrial(of, driverOptions)
  const ends: unknown[] = []
  trial.driver.running.finished.catch(error => ends.push(error))
  await trial.canary(canary(modelId, 50))
  assert.equal(trial.status().candidate!.state, 'current')
  return { ...trial, ends }
}
type Running = Awaited<ReturnType<typeof trialOf>>

async function assertOver({ driver, ends, published, pipe }: Running, reason: RegExp): Promise<void> {
  const { candidate, stable, reason: why } = await published()
  assert.deepEqual([candidate, stable.modelId], [undefined, ''])
  assert.match(why!, reason)
  assert.deepEqual([ends, driver.running.health().live, driver.running.health().problems], [[], true, {}])
  const then = await pipe()
  assert.deepEqual([then.length, then.filter(({ by }) => by !== '1')], [KEYS.length, []])
  await driver.stop()
}

describe('what a canary throws and `only` leaves out', () => {
  for (const failureUnit of ['bisect', 'batch'] as const)
    it(`(failureUnit ${failureUnit}) ends its trial: the rows are the stable model's, each once, and the application goes on`, async () => {
      const trial = await trialOf(plain({ failureUnit }), 'picky-2')
      const sums = await trial.pipe()
      assert.deepEqual(sums.map(({ key }) => key).sort(), KEYS.toSorted())
      assert.ok(sums.every(({ x, by }) => by === '1' || x % 2 === 0))
      assert.deepEqual(trial.driver.failures, [])
      await assertOver(trial, /step add, record in\/\d\/\d+: Error: .* is odd.*; exceptionHandling\.only of step add/)
    })

  it('is the stable model’s to throw as ever: then the application ends', async () => {
    const trial = await trialOf(plain(), '2')
    await trial.publish('picky-4')
    await trial.send()
    await trial.driver.advance(1_000)
    assert.equal((trial.ends[0] as { code: string }).code, 'UNHANDLED')
    await trial.driver.stop().catch(() => {})
  })

  it('ends nothing either when its trial is over by then: the rows were in a lane', async () => {
    let executor: FaultyExecutor | undefined
    const clock = { now: () => 0, wallTime: () => 0, after: () => () => {} }
    const wrapExecutor = (inner: Executor) => {
      executor = createFaultyExecutor(inner, { clock })
      return executor
    }
    const trial = await trialOf(plain(), 'picky-2', { wrapExecutor })
    const goOn = executor!.hang()
    await trial.send()
    await trial.abort()
    goOn()
    await trial.driver.advance(1_000)
    assert.equal((await trial.driver.read('out')).length, KEYS.length)
    assert.deepEqual([trial.ends, trial.driver.failures], [[], []])
    await trial.driver.stop()
  })

  it('of a batch that its record has brought sends the whole batch to the stable model', async () => {
    const brought = numbersIn
      .map(record => [record])
      .runInference('add', keyed(adding('1')).withNoBatching(), {
        modelMetadata: true,
        exceptionHandling: { only: [] },
      })
    const trial = await trialOf(topology('t', [brought.to('out', sumsOut)]), 'picky-2')
    assert.equal((await trial.pipe()).length, KEYS.length)
    assert.deepEqual(trial.driver.failures, [])
    await assertOver(trial, /is odd/)
  })
})

describe('what a function throws on what a canary gave', () => {
  const handler = keyed(adding('1')).withPostprocess((sum: Element) => dislikesTwo(sum))
  const later = keyed(adding('1')).withPostprocess(async (sum: Element) => dislikesTwo(sum), { concurrency: 4 })
  const ways = {
    'of the handler': () => numbersIn.runInference('add', handler, options()),
    'of the handler, later': () => numbersIn.runInference('add', later, options()),
    'of the graph': () =>
      numbersIn
        .runInference('add', keyed(adding('1')), options())
        .filter(() => true)
        .map((element: Element) => dislikesTwo(element)),
  }
  for (const [which, way] of Object.entries(ways))
    it(`(${which}) ends the trial too, and the rows are the stable model's`, async () => {
      const trial = await trialOf(topology('t', [way().to('out', sumsOut)]), '2')
      const sums = await trial.pipe()
      assert.deepEqual(sums.map(({ key }) => key).sort(), KEYS.toSorted())
      assert.deepEqual([sums.filter(({ by }) => by !== '1'), trial.driver.failures], [[], []])
      await assertOver(trial, /RangeError: .*not by 2/)
    })

  it('behind a fork makes a dead letter: what has left the other way does not leave twice', async () => {
    const step = numbersIn.runInference('add', keyed(adding('1')), options())
    const forked = topology('t', [
      step.map((element: Element) => dislikesTwo(element)).to('out', sumsOut),
      step.to('all', sumsOut),
    ])
    const trial = await trialOf(forked, '2')
    const sums = await trial.pipe()
    const { failures } = trial.driver
    assert.ok(failures.length > 0 && failures.every(({ code }) => code === 'POSTPROCESS_THREW'))
    assert.equal(sums.length + failures.length, KEYS.length)
    assert.equal((await trial.driver.read('all')).length, KEYS.length)
    await assertOver(trial, /not by 2/)
  })
})
