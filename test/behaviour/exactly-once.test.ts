import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { from, topology } from 'kafka-run-inference'
import { RunInferenceError } from '../../src/errors.ts'
import { nullMetrics } from '../../src/pipeline/null-metrics.ts'
import type { DriverOptions, TopologyDriver } from '../../src/testing/index.ts'
import { deadLetters, digitTopology, strings } from '../support/digit-topology.ts'
import { feed, onDriver, onFaultyDriver, passed, secondInstance } from '../support/on-driver.ts'

const EXACTLY_ONCE: DriverOptions = { settings: { processingGuarantee: 'exactly_once' } }
const keys = (count: number, prefix = 'k') => Array.from({ length: count }, (_, i) => `${prefix}${i}`)
const records = (count: number, prefix = 'k') => keys(count, prefix).map(key => ({ key, value: '5' }))
const outputs = async (driver: TopologyDriver, topic = 'out') =>
  (await driver.read(topic)).map(({ key }) => String(key))
const committed = (driver: TopologyDriver) => driver.port.admin.committed('t', 'in')

describe('exactly once', () => {
  it('outputs, dead letters of every stage and the offset behind them are seen together', async () => {
    await onDriver(
      digitTopology(),
      async driver => {
        driver.broker.delay('endTransaction', 500)
        const mixed = ['5', 'pre', 'post', 'short', '5'].map((value, i) => ({ key: `k${i}`, value }))
        await driver.pipe('in', mixed)
        await driver.advance(400)
        const letters = async () =>
          Promise.all(
            (['preprocess', 'inference', 'postprocess'] as const).map(async s => (await deadLetters(driver, s)).length),
          )
        assert.deepEqual([await outputs(driver), await letters(), await committed(driver)], [[], [0, 0, 0], [0]])
        assert.deepEqual(driver.broker.openTransactions(), ['t-in-0'])
        driver.broker.delay('endTransaction', 0)
        await driver.advance(2_000)
        assert.deepEqual(
          [await outputs(driver), await letters(), await committed(driver)],
          [['k0', 'k4'], [1, 1, 1], [5]],
        )
      },
      EXACTLY_ONCE,
    )
  })

  it('a quiet partition is seen at once, a steady one every commitIntervalMs', async () => {
    const ends: string[] = []
    const metrics = {
      ...nullMetrics,
      transactionEnded: (topic: string, end: string) => void ends.push(`${topic} ${end}`),
    }
    await onDriver(
      digitTopology(),
      async driver => {
        await driver.pipe('in', records(1))
        await driver.advance(10)
        assert.deepEqual(ends, ['in committed'])
        for (let i = 0; i < 200; i++) {
          await driver.pipe('in', records(1, `r${i}-`))
          await driver.advance(5)
        }
        await driver.advance(200)
        assert.equal((await outputs(driver)).length, 201)
        assert.ok(ends.length >= 9 && ends.length <= 13, `${ends.length} transactions in a second`)
      },
      { ...EXACTLY_ONCE, metrics },
    )
  })

  it('a partition that has used up its credits does not wait for the interval', async () => {
    await onDriver(
      digitTopology(),
      async driver => {
        await driver.pipe('in', records(1_000))
        await driver.advance(2_000)
        assert.ok((await outputs(driver)).length > 900, `${(await outputs(driver)).length} are seen`)
        await driver.advance(60_000)
        assert.deepEqual(await outputs(driver), keys(1_000))
      },
      {
        settings: {
          ...EXACTLY_ONCE.settings,
          commitIntervalMs: 60_000,
          maxInFlightRows: 50,
          maxBytesPerPartition: 500,
        },
      },
    )
  })

  it('records that are dropped, and tombstones that are, move the offset all the same', async () => {
    const few = topology('t', [
      from('in', strings, { tombstones: 'drop' })
        .filter(({ value }) => value === 'keep')
        .to('out', strings),
    ])
    await onDriver(
      few,
      async driver => {
        await feed(driver, [
          { key: 'a', value: 'no' },
          { key: 'b', value: null },
          { key: 'c', value: 'no' },
        ])
        assert.deepEqual([await outputs(driver), await committed(driver)], [[], [3]])
      },
      EXACTLY_ONCE,
    )
  })

  it('an output that the broker refuses is a dead letter; its neighbours are written once, in order', async () => {
    await onDriver(
      digitTopology(),
      async driver => {
        const isBad = (bytes: Buffer) => bytes.includes('9:')
        driver.broker.refuse(({ topic, bytes }) => topic === 'out' && isBad(bytes), 'INVALID_RECORD')
        const values = Array.from({ length: 30 }, (_, i) => ({ key: `k${i}`, value: i % 10 === 3 ? '9' : '5' }))
        await feed(driver, values)
        const good = values.filter(({ value }) => value === '5').map(({ key }) => key)
        assert.deepEqual(await outputs(driver), good)
        const letters = await deadLetters(driver, 'postprocess')
        assert.deepEqual(
          letters.map(({ key, headers }) => `${key} ${headers['kri-code']}`),
          ['k3 OUTPUT_REFUSED', 'k13 OUTPUT_REFUSED', 'k23 OUTPUT_REFUSED'],
        )
        assert.deepEqual(await committed(driver), [30])
      },
      EXACTLY_ONCE,
    )
  })

  for (const point of ['fence', 'transactionSend', 'sendOffsets', 'endTransaction'] as const)
    it(`an answer to ${point} that is lost, an error there, a time-out: nothing twice, nothing missing`, async () => {
      await onDriver(
        digitTopology(),
        async driver => {
          for (let round = 0; round < 6; round++) {
            await driver.pipe('in', records(20, `r${round}-`))
            if (round % 3 === 0) driver.broker.loseResponse(1, point)
            if (round % 3 === 1) driver.broker.failNext(point, new RunInferenceError('TRANSACTION_LOST', 'by the test'))
            if (round % 3 === 2) {
              driver.broker.delay('endTransaction', 300)
              await driver.advance(150)
              for (const id of driver.broker.openTransactions()) driver.broker.timeOutTransaction(id)
              driver.broker.delay('endTransaction', 0)
            }
            if (point === 'fence') driver.broker.forceRebalance('t')
            await driver.advance(2_000)
          }
          await driver.advance(30_000)
          const all = Array.from({ length: 6 }, (_, round) => keys(20, `r${round}-`)).flat()
          assert.deepEqual(await outputs(driver), all)
          assert.deepEqual(await committed(driver), [120])
          assert.deepEqual(driver.running.health().problems, {})
        },
        EXACTLY_ONCE,
      )
    })

  it('an outage of the broker in the midst of a transaction: nothing twice, nothing missing, no dead letter', async () => {
    await onDriver(
      digitTopology(),
      async driver => {
        driver.broker.delay('transactionSend', 50)
        await driver.pipe('in', records(200))
        driver.broker.down()
        await driver.advance(30_000)
        assert.equal(driver.running.health().live, true)
        driver.broker.up()
        await driver.advance(20_000)
        assert.deepEqual(await outputs(driver), keys(200))
        assert.deepEqual(driver.running.health().problems, {})
      },
      EXACTLY_ONCE,
    )
  })

  it('a second instance joins, one is expelled, both end: each output once, in order of its partition', async () => {
    const PARTITIONS = 4
    await onFaultyDriver(
      digitTopology(),
      async driver => {
        const all = Array.from({ length: 400 }, (_, i) => ({ key: `k${i}`, value: '5', partition: i % PARTITIONS }))
        driver.broker.delay('transactionSend', 20)
        await driver.pipe('in', all.slice(0, 150))
        const second = await secondInstance(driver, digitTopology(), { processingGuarantee: 'exactly_once' })
        await driver.pipe('in', all.slice(150, 300))
        await driver.advance(30)
        driver.broker.expireMember('t', driver.broker.members('t')[0]!)
        await driver.advance(700)
        await driver.pipe('in', all.slice(300))
        await driver.advance(20_000)
        await passed(driver, second.stop())
        await driver.advance(10_000)
        const sources = (await driver.read('out')).map(({ headers }) => headers['kri-source'])
        const inOrder = Array.from({ length: PARTITIONS }, (_, partition) =>
          Array.from({ length: 100 }, (_, offset) => `in/${partition}/${offset}`),
        ).flat()
        assert.deepEqual(sources, inOrder)
        assert.deepEqual(await committed(driver), [100, 100, 100, 100])
      },
      { ...EXACTLY_ONCE, partitions: PARTITIONS },
    )
  })

  it('a stop commits what is done, and its successor repeats nothing', async () => {
    await onDriver(
      digitTopology(),
      async driver => {
        await driver.pipe('in', records(50))
        await driver.advance(1)
        await driver.pipe('in', records(50, 'late'))
        await passed(driver, driver.running.stop())
        const before = await outputs(driver)
        assert.deepEqual(await committed(driver), [before.length])
        const next = await secondInstance(driver, digitTopology(), { processingGuarantee: 'exactly_once' })
        await driver.advance(1_000)
        assert.deepEqual(await outputs(driver), [...keys(50), ...keys(50, 'late')])
        await passed(driver, next.stop())
      },
      EXACTLY_ONCE,
    )
  })

  it('through a topic in between: each part once, and the end is reached when the last one has written', async () => {
    const two = topology('t', [
      from('in', strings)
        .map(element => element)
        .through('between', strings)
        .map(element => element)
        .to('out', strings),
    ])
    await onDriver(
      two,
      async driver => {
        driver.broker.delay('markers', 30)
        await driver.pipe('in', records(30))
        assert.equal(await passed(driver, driver.running.whenCaughtUp()), true)
        assert.deepEqual(await outputs(driver), keys(30))
        driver.broker.timeOutTransaction('t-between-0')
        await driver.pipe('in', records(30, 'more'))
        assert.equal(await passed(driver, driver.running.whenCaughtUp()), true)
        assert.deepEqual(await outputs(driver), [...keys(30), ...keys(30, 'more')])
      },
      EXACTLY_ONCE,
    )
  })

  it('health says which guarantee holds', async () => {
    await onDriver(digitTopology(), async driver => {
      assert.equal(driver.running.health().processingGuarantee, 'at_least_once')
    })
    await onDriver(
      digitTopology(),
      async driver => {
        assert.equal(driver.running.health().processingGuarantee, 'exactly_once')
      },
      EXACTLY_ONCE,
    )
  })

  it('a partition that was to be taken anew and went to somebody else troubles this instance no longer', async () => {
    await onDriver(
      digitTopology(),
      async driver => {
        const { broker } = driver
        broker.delay('endTransaction', 1_000)
        await driver.pipe(
          'in',
          [0, 1].flatMap(partition => records(3).map(record => ({ ...record, partition }))),
        )
        await driver.advance(20)
        // Of what has to be given away, the last one goes. Its loss is heard of while the group divides anew.
        broker.timeOutTransaction('t-in-1')
        const second = await secondInstance(driver, digitTopology(), { processingGuarantee: 'exactly_once' })
        broker.delay('endTransaction', 0)
        await driver.advance(3_000)
        assert.deepEqual(driver.running.health().problems, {})
        assert.deepEqual(await committed(driver), [3, 3])
        await passed(driver, second.stop())
      },
      { ...EXACTLY_ONCE, partitions: 2 },
    )
  })

  it('what is final ends the application with the reason', async () => {
    await onDriver(
      digitTopology(),
      async driver => {
        driver.broker.failNext('sendOffsets', new RunInferenceError('AUTHORISATION', 'no right to the group'))
        await driver.pipe('in', records(1))
        await assert.rejects(passed(driver, driver.running.finished), /AUTHORISATION.*no right to the group/)
        assert.deepEqual(await outputs(driver), [])
      },
      EXACTLY_ONCE,
    )
  })
})
