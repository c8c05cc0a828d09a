import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { float32, from, json, type KV, keyed, kv, onnx, topology } from 'kafka-run-inference'
import type { Executor } from '../../src/models/executor.ts'
import { Split } from '../../src/refresh/split.ts'
import { withCandidate } from '../../src/refresh/state-changes.ts'
import { createFaultyExecutor, type FaultyExecutor } from '../../src/testing/faulty-executor.ts'
import {
  adding,
  addingTopology,
  assertShare,
  canary,
  changeOn,
  KEYS,
  type Loads,
  numbersIn,
  onTrial,
  sumsOut,
} from '../support/canaries.ts'
import { addedBy, numbers, type Scored, scored, writeAddingModels } from '../support/changing-models.ts'
import { feed, onDriver, secondInstance } from '../support/on-driver.ts'

const { paths } = writeAddingModels(2)

const models = (sums: readonly { readonly by: string }[]) => [...new Set(sums.map(({ by }) => by))].sort()

describe('a canary', () => {
  it('has exactly the keys of its share, and every prediction names the model that made it', async () => {
    const trial = await onTrial()
    const candidate = canary('2', 30)
    assert.deepEqual(models(await trial.pipe()), ['1'])
    await trial.canary(candidate)
    const sums = [...(await trial.pipe()), ...(await trial.pipe())]
    assert.equal(sums.length, 2 * KEYS.length)
    assertShare(sums, candidate, '1')
    assert.deepEqual(models(sums), ['1', '2'])
    const { state, modelId, candidate: told } = trial.status()
    assert.deepEqual([state, modelId, told?.state, told?.modelId, told?.revision], ['current', '1', 'current', '2', 1])
    await trial.driver.stop()
  })

  it('becomes the stable model without a load, and is no trial any more', async () => {
    const trial = await onTrial()
    await trial.canary(canary('2', 30))
    await trial.pipe()
    const loaded = [...trial.loads]
    await trial.promote()
    assert.deepEqual(models(await trial.pipe()), ['2'])
    assert.deepEqual(trial.loads, loaded)
    const { state, modelId, revision, candidate } = trial.status()
    assert.deepEqual([state, modelId, revision, candidate], ['current', '2', 2, undefined])
    await trial.canary(canary('3', 50))
    assertShare(await trial.pipe(), canary('3', 50), '2')
    await trial.rollback()
    assert.deepEqual(models(await trial.pipe()), ['1'])
    await trial.driver.stop()
  })

  for (const end of ['abort', 'rollback', 'publish'] as const) {
    it(`ends with ${end}: from then on all records are of the stable model`, async () => {
      const trial = await onTrial()
      await trial.publish('4')
      await trial.canary(canary('2', 50))
      assert.deepEqual(models(await trial.pipe()), ['2', '4'])
      await { abort: () => trial.abort(), rollback: () => trial.rollback(), publish: () => trial.publish('5') }[end]()
      assert.deepEqual(models(await trial.pipe()), [{ abort: '4', rollback: '1', publish: '5' }[end]])
      assert.equal(trial.status().candidate, undefined)
      assert.deepEqual(
        trial.driver.running.health().models.map(({ lanes }) => lanes),
        [1],
        'its lanes are gone',
      )
      await trial.driver.stop()
    })
  }

  it('that cannot be used changes nothing: status says why, and the stable model has all keys', async () => {
    const trial = await onTrial()
    await trial.canary(canary('bad', 50))
    assert.deepEqual(models(await trial.pipe()), ['1'])
    const { state, candidate } = trial.status()
    assert.deepEqual([state, candidate?.state], ['current', 'failed'])
    assert.match(candidate!.reason!, /garbage in bad/)
    assert.ok(trial.driver.running.health().ready)
    await trial.canary(canary('2', 50))
    assertShare(await trial.pipe(), canary('2', 50), '1')
    await trial.driver.stop()
  })

  it('with another share or salt stays loaded; a larger share has the keys of the smaller one', async () => {
    const trial = await onTrial()
    for (const candidate of [canary('2', 10), canary('2', 60), canary('2', 60, { salt: 'pepper' })]) {
      await trial.canary(candidate)
      assertShare(await trial.pipe(), candidate, '1')
    }
    assert.equal(trial.loads.filter(id => id === '2').length, 1)
    await trial.driver.stop()
  })

  it('of two that are published in quick succession the last one counts', async () => {
    const trial = await onTrial()
    await Promise.all([trial.canary(canary('2', 90)), trial.canary(canary('3', 40)), trial.canary(canary('4', 20))])
    const { candidate, revision } = await trial.published()
    assert.equal(revision, 3)
    assertShare(await trial.pipe(), candidate!, '1')
    await trial.driver.stop()
  })

  it('is loaded before an instance joins, and a restart gives the same keys to it', async () => {
    const trial = await onTrial()
    const { driver, loads } = trial
    const candidate = canary('2', 30)
    await trial.canary(candidate)
    await trial.pipe()
    await driver.running.stop()
    loads.splice(0)
    const second = await secondInstance(driver, addingTopology(loads))
    assert.deepEqual(loads.toSorted(), ['1', '2'])
    assertShare(await trial.pipe(), candidate, '1')
    await second.stop()
    await driver.stop()
  })

  it('that takes long to load keeps an instance from joining until it is loaded', async () => {
    const trial = await onTrial()
    const { driver } = trial
    await trial.canary(canary('2', 30))
    await driver.running.stop()
    const loads: Loads = []
    const { promise, resolve } = Promise.withResolvers<void>()
    // The first model is there at once.
    Object.defineProperty(loads, 'gate', { get: () => (loads.length > 0 ? promise : undefined) })
    const starting = secondInstance(driver, addingTopology(loads))
    for (let i = 0; i < 50; i++) await driver.advance(1_000)
    assert.deepEqual([[...loads], driver.broker.members('t')], [['1'], []])
    resolve()
    const second = await starting
    assert.equal(second.health().slots[0]!.candidate!.state, 'current')
    await second.stop()
    await driver.stop()
  })

  it('an instance that cannot load it joins all the same', async () => {
    const trial = await onTrial()
    await trial.canary(canary('bad', 30))
    await trial.driver.running.stop()
    const second = await secondInstance(trial.driver, addingTopology([]))
    assert.ok(second.health().ready)
    assert.equal(second.health().slots[0]!.candidate!.state, 'failed')
    assert.deepEqual(models(await trial.pipe()), ['1'])
    await second.stop()
    await trial.driver.stop()
  })

  it('of one key’s model has keys of its own, and the other models have none to do with it', async () => {
    const mappings = [
      { keys: KEYS.slice(0, 150), handler: adding('1') },
      { keys: KEYS.slice(150), handler: adding('3') },
    ]
    const step = numbersIn.runInference('add', keyed(mappings), { modelMetadata: true })
    const trial = await onTrial(topology('t', [step.to('out', sumsOut)]))
    const candidate = canary('2', 30)
    await trial.canary(candidate, KEYS[0])
    const sums = await trial.pipe()
    const isFirst = ({ key }: { readonly key: string }) => KEYS.indexOf(key) < 150
    assertShare(sums.filter(isFirst), candidate, '1')
    assert.deepEqual(models(sums.filter(sum => !isFirst(sum))), ['3'])
    await trial.promote(KEYS[0])
    assert.deepEqual(models((await trial.pipe()).filter(isFirst)), ['2'])
    await trial.driver.stop()
  })
})

describe('a canary on lanes that fail', () => {
  it('that is lost has no rows any more: they go to the stable model, and it is loaded again', async () => {
    let executor: FaultyExecutor | undefined
    const loads: Loads = []
    const clock = { now: () => 0, wallTime: () => 0, after: () => () => {} }
    const wrapExecutor = (inner: Executor) => {
      executor = createFaultyExecutor(inner, { clock })
      return executor
    }
    const trial = await onTrial(addingTopology(loads, { maxSize: 10 }), { wrapExecutor })
    const candidate = canary('2', 100)
    const [stableLane] = executor!.lanes
    await trial.canary(candidate)
    assertShare(await trial.pipe(), candidate, '1')
    const lane = executor!.lanes.find(each => each !== stableLane)!
    const release = executor!.hang()
    await trial.send()
    assert.ok(lane.occupied > 1, 'several batches are lost at once')
    executor!.lose(lane.id)
    await trial.driver.idle()
    assert.deepEqual(Object.keys(trial.driver.running.health().problems), ['trial of add'], 'the step goes on')
    release()
    assert.equal((await trial.pipe()).length, 2 * KEYS.length)
    await trial.driver.advance(10_000)
    assertShare(await trial.pipe(), candidate, '1')
    assert.equal(loads.filter(id => id === '2').length, 2)
    assert.deepEqual(trial.driver.running.health().problems, {})
    await trial.driver.stop()
  })
})

describe('a canary of records', () => {
  it('without keys has them by position, also where rows go to the lane as they are', () =>
    onDriver(
      topology('t', [
        from('in', float32(1))
          .runInference('add', onnx({ model: paths[0]!, input: float32(1), output: float32(1) }), {
            modelMetadata: true,
          })
          .map(({ modelId, example, inference }): Scored => ({ modelId, x: example[0]!, y: inference[0]! }))
          .to('out', json<Scored>()),
      ]),
      async driver => {
        const candidate = canary(paths[1]!, 25)
        await changeOn(driver, state => withCandidate(state, candidate, 'me', new Date(0).toISOString()))
        await feed(driver, numbers([...new Array(400).keys()]))
        const split = new Split(candidate)
        const all = await scored(driver)
        assert.equal(all.length, 400)
        for (const [offset, { modelId, x, y }] of all.entries()) {
          const position = Buffer.from(`in/0/${offset}`)
          const n = split.hasKey(position, 0, position.length) ? 1 : 0
          assert.deepEqual([modelId, x, y - x], [paths[n], offset, addedBy(n)])
        }
      },
    ))

  it('that become several elements, or bring a batch, has all of them or none', async () => {
    const twice = ({ key, value }: KV<string, number>) => [kv(key, value), kv(key, value)]
    const options = { modelMetadata: true } as const
    const several = numbersIn.flatMap(twice, { maxFanOut: 2 }).runInference('add', keyed(adding('1')), options)
    const batches = numbersIn.map(twice).runInference('add', keyed(adding('1')).withNoBatching(), options)
    for (const step of [several, batches]) {
      const trial = await onTrial(topology('t', [step.to('out', sumsOut)]))
      const candidate = canary('2', 40)
      await trial.canary(candidate)
      const sums = await trial.pipe()
      assert.equal(sums.length, 2 * KEYS.length)
      assertShare(sums, candidate, '1')
      await trial.driver.stop()
    }
  })
})

describe('a canary with a rule', () => {
  const abortIf = { failureFactor: 2, latencyFactor: 100, minRecords: 20 }

  it('that refuses records is given up for all instances, with the reason', async () => {
    const trial = await onTrial()
    const second = await secondInstance(trial.driver, addingTopology([]))
    await trial.canary(canary('picky-2', 50, { abortIf }))
    await trial.pipe()
    await trial.driver.advance(5_000)
    const last = await trial.published()
    assert.deepEqual([last.revision, last.candidate], [2, undefined], 'one instance has ended it')
    assert.match(last.reason!, /failed on the candidate/)
    assert.ok(['driver', 'second'].includes(last.publishedBy))
    for (const { candidate, revision } of [trial.status(), second.health().slots[0]!])
      assert.deepEqual([candidate, revision], [undefined, 2])
    assert.deepEqual(models(await trial.pipe()), ['1'])
    await second.stop()
    await trial.driver.stop()
  })

  it('has no more records from the verdict on, while the topic cannot be written', async () => {
    const trial = await onTrial()
    await trial.driver.running.stop()
    const { broker } = trial.driver
    const port = broker.connect()
    const second = await secondInstance(trial.driver, addingTopology([]), {}, undefined, { port })
    await trial.canary(canary('picky-2', 50, { abortIf }))
    const mend = broker.cut(port, ['fence'])
    await trial.pipe()
    const { candidate } = second.health().slots[0]!
    assert.equal(candidate!.state, 'failed')
    assert.match(candidate!.reason!, /given up by the rule of its trial/)
    await trial.driver.advance(120_000)
    assert.deepEqual(models(await trial.pipe()), ['1'], 'records do not wait for it')
    assert.ok((await trial.published()).candidate)
    mend()
    await trial.driver.advance(120_000)
    assert.equal((await trial.published()).candidate, undefined)
    assert.deepEqual(second.health().problems, {})
    await second.stop()
    await trial.driver.stop()
  })
})
