import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { from, json, type Topology, topology } from 'kafka-run-inference'
import type { TopologyDriver } from '../../src/testing/index.ts'
import { countingMetrics } from '../support/counting-metrics.ts'
import { calculation, outputs, timesTen } from '../support/number-handlers.ts'
import { onDriver, passed, secondInstance } from '../support/on-driver.ts'

const PARTITIONS = 4
/** Several times what two halts may cost. */
const RECORDS = 10_000
/** Of these each is written, and its dead letter, by itself. */
const REFUSED = 2_000
const IN_FLIGHT = 200
/** What may become dead letters before it is noticed: one slice of a block for each partition, and what a lane has been given. */
const BOUND = PARTITIONS * 512

const working = () => calculation(timesTen().handler)
const broken = () => {
  throw new RangeError('a mistake of the release')
}
const RELEASES: Readonly<Record<string, () => Topology>> = {
  'a function before the model': () => calculation(timesTen().handler.withPreprocess<number>(broken)),
  'an asynchronous function before the model': () =>
    calculation(
      timesTen().handler.withPreprocess(async (value: number) => (value < 0 ? value : broken()), { concurrency: 8 }),
    ),
  'the model': () => calculation(timesTen(broken).handler),
  'a function behind the model': () => calculation(timesTen().handler.withPostprocess(broken)),
  'the codec': () =>
    topology('t', [from('in', json<number>()).map(broken).runInference('calc', timesTen().handler).to('out', json())]),
}

/** As a release finds it: there at once, in blocks of thousands. */
function backlog(driver: TopologyDriver, length = RECORDS): Promise<void> {
  const records = Array.from({ length }, (_, value) => ({ value, partition: value % PARTITIONS }))
  return driver.pipe('in', records)
}

async function deadLetters(driver: TopologyDriver): Promise<number> {
  const topics = ['preprocess', 'inference', 'postprocess'].map(stage => `t.calc.failed-${stage}`)
  const read = await Promise.all(topics.map(topic => driver.read(topic)))
  return read.flat().length
}

describe('a release in which every record fails', () => {
  for (const [what, release] of Object.entries(RELEASES)) {
    it(`(${what}) does not turn a topic into dead letters: it halts, and the repaired release does the rest`, async () => {
      const metrics = countingMetrics()
      await onDriver(
        release(),
        async driver => {
          await backlog(driver)
          await driver.advance(30_000)
          const first = await deadLetters(driver)
          // Of a model, what failed first may stand behind rows that were not tried yet: nothing is written then.
          assert.ok(first <= BOUND, `${first} dead letters`)
          const { live, ready, problems } = driver.running.health()
          assert.deepEqual([live, ready, metrics.halts], [true, false, [true]])
          assert.match(
            problems.halted!,
            /TOO_MANY_DEAD_LETTERS.* step calc: \d+ of \d+ records failed .*floodRatio is 0.5/,
          )
          assert.match(problems.halted!, /the last one: .*a mistake of the release/)

          // An operator who is mistaken loses as much again, and no more.
          assert.equal(driver.running.resume(), true)
          await driver.advance(30_000)
          const second = await deadLetters(driver)
          assert.ok(second <= first + BOUND, `${second} dead letters`)
          assert.deepEqual(metrics.halts, [true, false, true])

          await passed(driver, driver.running.stop())
          const repaired = await secondInstance(driver, working())
          await driver.advance(120_000)
          assert.equal(await deadLetters(driver), second)
          const done = await outputs(driver)
          assert.equal(new Set(done).size, done.length, 'nothing twice')
          assert.equal(done.length + second, RECORDS, 'nothing lost')
          await passed(driver, repaired.stop())
        },
        { partitions: PARTITIONS, metrics },
      )
    })
  }
})

describe('a release of which brokers refuse every output', () => {
  for (const processingGuarantee of ['at_least_once', 'exactly_once'] as const)
    it(`halts as any other (${processingGuarantee})`, async () => {
      await onDriver(
        working(),
        async driver => {
          driver.broker.refuse(({ topic }) => topic === 'out', 'INVALID_RECORD')
          for (let i = 0; i < REFUSED / 100; i++) await backlog(driver, 100)
          await driver.advance(10_000)
          const { halted } = driver.running.health().problems
          assert.match(halted!, /postprocessing of step calc: \d+ of \d+ records failed .*topic out refuses the output/)
          const first = await deadLetters(driver)
          assert.ok(first > 0 && first <= IN_FLIGHT + PARTITIONS * 100, `${first} dead letters`)
        },
        {
          partitions: PARTITIONS,
          settings: { processingGuarantee, maxInFlightRows: IN_FLIGHT, maxBytesPerPartition: 1_000 },
        },
      )
    })
})

describe('a topic in which a part of the records is bad', () => {
  const share = async (bad: (value: number) => boolean, graph: (handler: ReturnType<typeof positive>) => Topology) => {
    let halted: string | undefined
    await onDriver(
      graph(positive(bad)),
      async driver => {
        await backlog(driver)
        await driver.advance(120_000)
        halted = driver.running.health().problems.halted
      },
      { partitions: PARTITIONS },
    )
    return halted
  }
  const positive = (bad: (value: number) => boolean) =>
    timesTen().handler.withPreprocess((value: number) => (bad(value) ? broken() : value))

  it('goes on where it is a third, also when the bad ones come first in a block, or long before any good one is done', async () => {
    assert.equal(
      await share(
        value => value % 3 === 0,
        handler => calculation(handler),
      ),
      undefined,
    )
    assert.equal(
      await share(
        value => value % 1_000 < 330,
        handler => calculation(handler),
      ),
      undefined,
    )
  })

  it('counts what is dropped as good', async () => {
    const filtered = (handler: ReturnType<typeof positive>) =>
      topology('t', [
        from('in', json<number>())
          .filter(value => value % 10 === 0)
          .runInference('calc', handler)
          .to('out', json()),
      ])
    assert.equal(
      await share(value => value % 100 !== 0, filtered),
      undefined,
      '9 % of what comes, 90 % of what is kept',
    )
  })
})
