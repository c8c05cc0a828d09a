import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { from, json, keyed, modelHandler, topology, utf8 } from 'kafka-run-inference'
import { createTopologyDriver, type DriverOptions } from 'kafka-run-inference/testing'
import { modelMetadataTopic, modelStatusTopic } from '../../src/kafka/topic-names.ts'
import { readStatus } from '../../src/refresh/fleet-status.ts'
import { countingMetrics } from '../support/counting-metrics.ts'

/** Adds what its model id says, and says so; `bad…` does not load. */
const adding = (modelId: string) =>
  modelHandler<number, string, string>({
    name: 'adding',
    modelId,
    loadModel(id) {
      if (id.startsWith('bad')) throw new Error(`garbage in ${id}`)
      return id
    },
    runInference: (batch, id) => batch.map(n => `${n + Number(id)} by ${id}`),
  })
const numbers = from('in', { key: utf8(), value: json<number>() })
const out = { key: utf8(), value: json<string>() }
const named = (modelId: string) => ({ modelId, modelName: `name-${modelId}` })

const single = topology('t', [numbers.runInference('add', keyed(adding('1')), { modelMetadata: true }).to('out', out)])
const each = topology('t', [
  numbers
    .runInference(
      'add',
      keyed([
        { keys: ['a', 'b'], handler: adding('1') },
        { keys: ['c'], handler: adding('3') },
      ]),
      { modelMetadata: true },
    )
    .to('out', out),
])

async function started(of = single, options: DriverOptions = {}) {
  const driver = await createTopologyDriver(of, options)
  let sent = 0
  return {
    driver,
    /** One record for each key: 10, 20, … */
    async pipe(...keys: readonly string[]) {
      const records = keys.map(key => ({ key, value: 10 * ++sent }))
      await driver.pipe('in', records)
      await driver.advance(200)
    },
    async values() {
      return (await driver.read('out')).map(({ value }) => value)
    },
    slots: () =>
      driver.running
        .health()
        .slots.map(({ slot, revision, state, modelId }) => `${slot} ${revision} ${state} ${modelId}`),
  }
}

const publishedFor = (step: string, modelId: string) => ({ modelMetadata: new Map([[step, named(modelId)]]) })

describe('live models', () => {
  it('what is published serves from then on, and a tombstone brings the handler’s own back', async () => {
    const { driver, pipe, values, slots } = await started()
    await pipe('a')
    await driver.publishModel('add', named('2'))
    assert.deepEqual(slots(), ['add 1 current 2'])
    assert.deepEqual(driver.running.health().slots[0]!.positions['in/0'], 1)
    await pipe('a')
    await driver.publishModel('add', undefined)
    await pipe('a')
    assert.deepEqual(await values(), ['11 by 1', '22 by 2', '31 by 1'])
    assert.deepEqual(slots(), ['add 0 current 1'])
    await driver.stop()
  })

  it('at the start the published model is the first to serve', async () => {
    const { driver, pipe, values, slots } = await started(single, publishedFor('add', '2'))
    await pipe('a')
    assert.deepEqual([await values(), slots()], [['12 by 2'], ['add 1 current 2']])
    await driver.stop()
  })

  it('a model that does not load changes nothing, and status, health and metrics say why', async () => {
    const { driver, pipe, values, slots } = await started()
    await driver.publishModel('add', named('2'))
    await driver.publishModel('add', named('bad'))
    await pipe('a')
    assert.deepEqual([await values(), slots()], [['12 by 2'], ['add 2 failed 2']])
    const health = driver.running.health()
    assert.ok(health.ready)
    assert.match(health.slots[0]!.reason!, /garbage in bad/)
    await driver.publishModel('add', named('3'))
    await pipe('a')
    assert.deepEqual(slots(), ['add 3 current 3'])
    await driver.stop()
  })

  it('an instance that starts behind a bad model serves the last good one, under its own label', async () => {
    const first = await started()
    await first.driver.publishModel('add', named('2'))
    await first.driver.publishModel('add', named('bad'))
    const records = await first.driver.read(modelMetadataTopic('t'))
    await first.driver.stop()
    assert.deepEqual(records.length, 2)
    const { driver, pipe, values, slots } = await started(single, publishedFor('add', 'bad'))
    await pipe('a')
    assert.deepEqual([await values(), slots()], [['11 by 1'], ['add 1 failed 1']])
    await driver.stop()
  })

  it('an instance without any model fails its start where no publication could help', async () => {
    const handler = modelHandler<number, string, string>({
      ...{ name: 'adding', modelId: 's3://models/own', modelIsFile: true },
      loadModel: path => path,
      runInference: (batch, path) => batch.map(() => path),
    })
    const of = topology('t', [numbers.runInference('add', keyed(handler), { modelMetadata: true }).to('out', out)])
    const modelFiles = { fetch: () => Promise.reject(new TypeError('x is undefined')) }
    const options = { ...publishedFor('add', 's3://models/2'), modelFiles }
    await assert.rejects(createTopologyDriver(of, options), /\[BUG\] .*x is undefined/)
  })

  it('models per key change one by one, also before their first batch', async () => {
    const { driver, pipe, values, slots } = await started(each)
    await driver.publishModel('add', named('5'), 'a')
    await pipe('a', 'b', 'c')
    await driver.publishModel('add', named('7'), 'c')
    await pipe('a', 'b', 'c')
    const expected = ['15 by 5', '25 by 5', '33 by 3', '45 by 5', '55 by 5', '67 by 7']
    assert.deepEqual((await values()).toSorted(), expected)
    assert.deepEqual(slots(), ['add/"a" 1 current 5', 'add/"c" 1 current 7'])
    await driver.stop()
  })

  it('what is published for a step or key that is not there is ignored, and told', async () => {
    const { driver, pipe, values, slots } = await started()
    await driver.publishModel('ad', named('2'))
    await driver.publishModel('add', named('2'), 'a')
    await pipe('a')
    assert.deepEqual([await values(), slots()], [['11 by 1'], ['add 0 current 1']])
    const { problems, ready } = driver.running.health()
    assert.ok(ready)
    assert.match(problems['model metadata of ad']!, /no step "ad"; did you mean "add"\?/)
    assert.match(problems['model metadata of add/"a"']!, /one model for all keys/)
    await driver.publishModel('ad', undefined)
    await driver.advance(1_000)
    assert.equal(driver.running.health().problems['model metadata of ad'], undefined)
    await driver.stop()
  })

  it('an instance tells its status topic, with its member id, and says goodbye', async () => {
    const { driver } = await started()
    await driver.publishModel('add', named('2'))
    await driver.advance(1_000)
    const topic = modelStatusTopic('t')
    const { instances } = await readStatus(driver.port, topic)
    assert.deepEqual(
      instances.map(({ instance, slots }) => [instance, slots.map(({ state, modelId }) => [state, modelId])]),
      [['driver', [['current', '2']]]],
    )
    assert.deepEqual(instances[0]!.memberIds, driver.broker.members('t'))
    await driver.stop()
  })

  it('no record is lost or changes its model while models change under load', async () => {
    const metrics = countingMetrics()
    const { driver, pipe, values } = await started(single, { metrics, lanes: 2 })
    for (let round = 2; round < 12; round++) {
      const published = driver.publishModel('add', named(String(round)))
      await pipe(...Array.from({ length: 40 }, () => 'a'))
      await published
    }
    const all = (await values()) as string[]
    assert.equal(all.length, 400)
    all.forEach((value, i) => {
      const [sum, by] = value.split(' by ')
      assert.equal(Number(sum), 10 * (i + 1) + Number(by))
    })
    await driver.stop()
  })
})
