import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { avro, from, topology, utf8 } from 'kafka-run-inference'
import type { Digit } from '../../schemas/types.ts'
import { RunInferenceError } from '../../src/errors.ts'
import type { GroupMember } from '../../src/kafka/port.ts'
import { createInThreadExecutor } from '../../src/models/in-thread-executor.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { nullMetrics } from '../../src/pipeline/null-metrics.ts'
import { startTopology } from '../../src/run.ts'
import { DEFAULT_RUN_SETTINGS } from '../../src/run-settings.ts'
import type { TopologyDriver } from '../../src/testing/index.ts'
import { countingMetrics } from '../support/counting-metrics.ts'
import { deadLetters, digitTopology } from '../support/digit-topology.ts'
import { feed, onDriver, onFaultyDriver, passed } from '../support/on-driver.ts'

const keys = (count: number, prefix = 'k') =>
  Array.from({ length: count }, (_, i) => ({ key: `${prefix}${i}`, value: '5' }))
const names = (count: number, prefix = 'k') => keys(count, prefix).map(({ key }) => key)

describe('an outage of the model', () => {
  it('is told from bad rows by the control batch: rows stay queued, no dead letter, all is done when it is over', async () => {
    const metrics = countingMetrics()
    await onFaultyDriver(
      digitTopology(),
      async (driver, executor) => {
        executor.failRowsWhere(() => true)
        executor.failControl(true)
        await feed(driver, keys(40))
        assert.deepEqual(await driver.read('out'), [])
        assert.match(Object.values(driver.running.health().problems).join(), /control batch/)
        executor.failRowsWhere(undefined)
        executor.failControl(false)
        await driver.advance(20_000)
        assert.deepEqual(
          (await driver.read('out')).map(({ key }) => key),
          names(40),
        )
        assert.deepEqual(await deadLetters(driver, 'inference'), [])
        assert.deepEqual(driver.running.health().problems, {})
      },
      { metrics },
    )
  })

  it('opens the breaker when it lasts; the control batch closes it, and work goes on without new input', async () => {
    const metrics = countingMetrics()
    await onFaultyDriver(
      digitTopology(),
      async (driver, executor) => {
        executor.failRowsWhere(() => true)
        executor.failControl(true)
        await driver.pipe('in', keys(10))
        await driver.advance(30_000)
        assert.equal(metrics.breaker[0], 'open')
        const runs = executor.runs.length
        await driver.advance(60_000)
        assert.equal(executor.runs.length, runs, 'while it is open only the control batch runs')
        assert.match(Object.keys(driver.running.health().problems).join(), /breaker of step classify/)
        executor.failRowsWhere(undefined)
        executor.failControl(false)
        await driver.advance(6_000)
        assert.equal(metrics.breaker.at(-1), 'closed')
        assert.equal((await driver.read('out')).length, 10)
        assert.deepEqual(await deadLetters(driver, 'inference'), [])
        assert.deepEqual(driver.running.health().problems, {})
      },
      { metrics },
    )
  })

  it('in the midst of a search for bad rows keeps what is decided, and decides the rest later', async () => {
    await onFaultyDriver(digitTopology(), async (driver, executor) => {
      const bad = (x: Float32Array) => x[0] === 7
      executor.failRowsWhere(([x]) => bad(x as Float32Array))
      const records = keys(16).map((record, i) => (i === 11 ? { ...record, value: '7' } : record))
      executor.failRuns(1)
      await feed(driver, records)
      await driver.advance(10_000)
      const letters = await deadLetters(driver, 'inference')
      assert.deepEqual(
        letters.map(({ key }) => String(key)),
        ['k11'],
      )
      assert.equal((await driver.read('out')).length, 15)
    })
  })

  it('that looks like bad rows for a moment harms nobody: the next runs succeed', async () => {
    await onFaultyDriver(digitTopology(), async (driver, executor) => {
      executor.failRuns(1)
      await feed(driver, keys(20))
      executor.failRuns(1)
      await feed(driver, keys(1, 'alone'))
      assert.equal((await driver.read('out')).length, 21)
      assert.deepEqual(await deadLetters(driver, 'inference'), [])
    })
  })
})

describe('a lane that is lost', () => {
  it('is an outage: rows stay queued, health says so, and all is done when it is back', async () => {
    await onFaultyDriver(digitTopology(), async (driver, executor) => {
      const release = executor.hang()
      await driver.pipe('in', keys(5))
      await driver.advance(10)
      const bringBack = executor.lose(0)
      release()
      await driver.advance(30_000)
      const { live, problems } = driver.running.health()
      assert.equal(live, true)
      assert.match(problems['lane 0']!, /LANE_LOST/)
      assert.deepEqual(await driver.port.admin.committed('t', 'in'), [0])
      bringBack()
      await driver.advance(20_000)
      assert.deepEqual(
        (await driver.read('out')).map(({ key }) => key),
        names(5),
      )
      assert.deepEqual(await deadLetters(driver, 'inference'), [])
      assert.deepEqual(driver.running.health().problems, {})
    })
  })
})

describe('an outage of the registry', () => {
  const ids = () =>
    topology('d', [
      from('in', avro<Digit>('digit'))
        .map(({ id }) => id)
        .to('out', utf8()),
    ])
  const digit = { id: 'one', pixels: new Array(64).fill(0) }

  it('pauses the records that need it and tries again; no dead letter', async () => {
    const metrics = countingMetrics()
    await onDriver(
      ids(),
      async driver => {
        // A schema that the topology has not met.
        const registered = await driver.registry.latest('in-value')
        const schema = JSON.stringify({ ...JSON.parse(registered.schema), doc: 'Another version.' })
        const id = await driver.registry.register('in-value', schema)
        const value = Buffer.concat([
          Buffer.from([0, 0, 0, 0, id]),
          Buffer.from([6]),
          Buffer.from('one'),
          Buffer.from([2, 0, 0]),
        ])
        driver.broker.delay('fetch', 100)
        await driver.pipe('in', [{ value }])
        driver.broker.delay('fetch', 0)
        driver.registry.down()
        await driver.advance(30_000)
        assert.deepEqual(await driver.read('out'), [])
        assert.match(driver.running.health().problems.registry!, /REGISTRY_UNAVAILABLE/)
        assert.ok(metrics.retries >= 3, 'it was tried again')
        assert.ok(metrics.retries <= 20, 'with a back-off')
        driver.registry.up()
        await driver.advance(15_000)
        assert.deepEqual(
          (await driver.read('out')).map(({ value: text }) => String(text)),
          ['one'],
        )
        assert.deepEqual(await driver.read('d.failed-preprocess'), [])
        assert.deepEqual(driver.running.health().problems, {})
      },
      { metrics },
    )
  })

  it('is over, too, when the records that met it were lost with their partition', async () => {
    await onDriver(ids(), async driver => {
      driver.broker.delay('fetch', 100)
      await driver.pipe('in', [{ value: Buffer.from([0, 0, 0, 0, 77, 0]) }])
      driver.broker.delay('fetch', 0)
      driver.registry.down()
      await driver.advance(3_000)
      assert.match(driver.running.health().problems.registry!, /REGISTRY_UNAVAILABLE/)
      const other = await idleMember(driver, 'd', ['in', 'd.in.replay'])
      driver.broker.expireMember('d', driver.broker.members('d')[0]!)
      await driver.advance(30_000)
      assert.deepEqual(driver.running.health().problems, {}, 'another member has the partition now')
      await other.stop()
    })
  })

  it('at the start is waited for: the instance joins when the registry is there', async () => {
    const graph = topology('d', [from('in', avro<Digit>('digit')).to('out', avro<Digit>('digit'))])
    await onDriver(graph, async driver => {
      const schema = await readFile('schemas/digit.avsc', 'utf8')
      driver.registry.down()
      const { clock, broker, registry } = driver
      const second = startTopology(graph, {
        port: broker.connect(),
        executor: createInThreadExecutor({ lanes: 1, maxBatchRows: 8 }, { logger: silentLogger, clock }),
        registry,
        readSchema: async () => schema,
        settings: DEFAULT_RUN_SETTINGS,
        clock,
        random: () => 0.5,
        logger: silentLogger,
        metrics: nullMetrics,
      })
      await driver.advance(60_000)
      assert.equal(second.health().ready, false)
      assert.equal(second.health().live, true)
      assert.match(JSON.stringify(second.health().problems), /REGISTRY_UNAVAILABLE/)
      registry.up()
      await passed(driver, second.whenReady())
      assert.deepEqual(second.health().problems, {})
      await feed(driver, [{ value: digit }])
      assert.equal((await driver.read('out')).length, 1)
      await passed(driver, second.stop())
    })
  })
})

describe('an outage of the broker', () => {
  it('of 30 s is sat out: nothing lost, nothing twice, no dead letter', async () => {
    await onDriver(
      digitTopology(),
      async driver => {
        await driver.pipe('in', keys(300))
        driver.broker.down()
        await driver.advance(30_000)
        assert.equal(driver.running.health().live, true)
        assert.match(JSON.stringify(driver.running.health()), /BROKER_UNAVAILABLE/)
        driver.broker.up()
        await driver.advance(10_000)
        await feed(driver, keys(20, 'later'))
        assert.deepEqual(
          (await driver.read('out')).map(({ key }) => key),
          [...names(300), ...names(20, 'later')],
        )
        assert.deepEqual(await driver.port.admin.committed('t', 'in'), [320])
      },
      { settings: { maxFetchWaitMs: 10 } },
    )
  })

  it('between produce and its answer gives no duplicate', async () => {
    await onDriver(digitTopology(), async driver => {
      driver.broker.loseResponse(3)
      await feed(driver, keys(30))
      assert.deepEqual(
        (await driver.read('out')).map(({ key }) => key),
        names(30),
      )
    })
  })

  it('that refuses the topic for good ends the application with the reason', async () => {
    await onFaultyDriver(digitTopology(), async (driver, executor) => {
      const release = executor.hang()
      await driver.pipe('in', keys(1))
      driver.broker.failNext('produce', new RunInferenceError('AUTHORISATION', 'no right to write out'))
      release()
      await assert.rejects(passed(driver, driver.running.finished), /AUTHORISATION.*no right to write out/)
      assert.deepEqual(await driver.port.admin.committed('t', 'in'), [0])
    })
  })
})

/** A member of the group that takes partitions and does nothing with them. */
async function idleMember(driver: TopologyDriver, groupId: string, topics: readonly string[]): Promise<GroupMember> {
  const ignore = () => {}
  const events = { onAssigned: ignore, onLost: ignore, onBlock: ignore, onState: ignore, onFatal: ignore }
  const sources = topics.map(topic => ({ topic, start: 'earliest' as const }))
  const options = { ...DEFAULT_RUN_SETTINGS, groupId, sources, maxBytesPerFetch: 1_000_000 }
  const member = driver.port.member(options, { ...events, onRebalance: async () => {} })
  await passed(driver, member.start())
  return member
}
