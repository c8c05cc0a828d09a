// What a shadow cannot do: none of it may be seen in outputs, commits or dead letters.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { keyed, kv, modelHandler, predictionResult, topology } from 'kafka-run-inference'
import { RunInferenceError } from '../../src/errors.ts'
import { planTopics, topicNames } from '../../src/kafka/topics.ts'
import { HANGS_AFTER_MS, MAX_ROWS } from '../../src/refresh/shadow-runner.ts'
import { LOOK_AGAIN_MS } from '../../src/refresh/shadow-writer.ts'
import type { DriverOptions, TopologyDriver } from '../../src/testing/index.ts'
import { KEYS, numbersIn, onTrial, sumsOut } from '../support/canaries.ts'
import { feed } from '../support/on-driver.ts'
import {
  clippingTopology,
  pairRecord,
  readShadows,
  SHADOW_TOPIC,
  shadow,
  shadowCounts,
  troubledSpares,
  writeClipping,
} from '../support/shadows.ts'

const folder = mkdtempSync(join(tmpdir(), 'shadow-troubles-'))
after(() => rmSync(folder, { recursive: true }))
const [low, high] = [writeClipping(folder, 0), writeClipping(folder, 50)]
const pairs = (count: number) => Array.from({ length: count }, (_, i) => pairRecord([i, i]))
const committed = async ({ port }: TopologyDriver) => (await port.admin.committed('t', 'in'))[0]

async function troubled(options: DriverOptions = {}) {
  const spares = troubledSpares()
  const { counts, metrics } = shadowCounts()
  const parts = { ...options, metrics, wrapExecutor: spares.wrapExecutor }
  const trial = await onTrial(clippingTopology(low), parts)
  await trial.canary(shadow(high))
  return { ...trial, counts, spares }
}

describe('a shadow that hangs', () => {
  it('delays no commit; what it has no room for is dropped and counted; aborting it lets everything go', async () => {
    const { driver, counts, spares, abort } = await troubled()
    const goOn = spares.hang()
    const sent = 2 * MAX_ROWS
    await feed(driver, pairs(sent))
    assert.equal(await committed(driver), sent)
    assert.equal((await driver.read('out')).length, sent)
    const { full } = counts.dropped
    assert.ok(full >= sent - MAX_ROWS - 256 && full < sent, `${full} of ${sent} were dropped`)
    await feed(driver, pairs(10))
    assert.equal(await committed(driver), sent + 10, 'also when the lanes have been idle')
    assert.deepEqual(driver.running.health().problems, {})
    await driver.advance(HANGS_AFTER_MS)
    assert.match(driver.running.health().problems['shadow of step add']!, /at a batch of 256 rows for 30 s/)
    assert.ok(driver.running.health().live)
    await abort()
    assert.deepEqual(driver.running.health().problems, {})
    assert.equal(counts.dropped.closed + counts.dropped.full, sent + 10 - 256, 'all but the batch that it is at')
    goOn()
    await driver.advance(1_000)
    assert.equal(counts.dropped.closed + counts.dropped.full, sent + 10)
    assert.equal((await readShadows(driver)).length, 0)
    await feed(driver, pairs(10))
    assert.equal(await committed(driver), sent + 20)
    await driver.stop()
  })

  it('is told of no more when its trial is over', async () => {
    const { driver, spares, abort } = await troubled()
    const goOn = spares.hang()
    await feed(driver, pairs(10))
    await abort()
    await driver.advance(HANGS_AFTER_MS)
    assert.deepEqual(driver.running.health().problems, {})
    goOn()
    await driver.stop()
  })

  it('holds up no stop', async () => {
    const { driver, spares, counts } = await troubled()
    const goOn = spares.hang()
    await feed(driver, pairs(300))
    const stopping = driver.running.stop()
    await driver.advance(3_000)
    assert.equal(counts.dropped.closed, 300 - 256)
    assert.equal(await committed(driver), 300)
    goOn()
    await stopping
    await driver.idle()
    assert.equal(counts.dropped.closed, 300)
    await driver.stop()
  })
})

describe('a shadow that fails', () => {
  it('on some records says so in their records, and the others are compared', async () => {
    const { counts, metrics } = shadowCounts()
    const trial = await onTrial(undefined, { metrics })
    await trial.canary(shadow('picky-2'))
    assert.equal((await trial.pipe(KEYS.slice(0, 100))).filter(({ by }) => by === '1').length, 100)
    const records = await readShadows(trial.driver)
    const told = records.filter(({ candidate }) => candidate.error !== undefined)
    assert.deepEqual(
      told.map(({ source }) => source.offset).toSorted((a, b) => a - b),
      Array.from({ length: 50 }, (_, i) => 2 * i + 1),
    )
    for (const { candidate, stable, differs } of told) {
      assert.match(candidate.error!, /INFERENCE_FAILED.* is odd/)
      assert.deepEqual([candidate.modelId, 'inference' in candidate, differs], ['picky-2', false, true])
      assert.match(stable.inference as string, /by 1$/)
    }
    assert.equal(records.length, 100)
    assert.deepEqual(counts.rows, { same: 0, different: 50, failed: 50, unwritten: 0 })
    assert.equal(trial.driver.failures.length, 0)
    await trial.driver.stop()
  })

  it('because it cannot work at all rests, longer each time, and goes on when it can; /readyz says so meanwhile', async () => {
    const { driver, counts, spares } = await troubled()
    const lost = new RunInferenceError('LANE_LOST', 'its process is gone')
    spares.fail(lost)
    await feed(driver, pairs(10))
    await feed(driver, pairs(10))
    assert.equal(counts.dropped.outage, 20)
    assert.deepEqual(driver.running.health().problems, { 'shadow of step add': lost.message })
    assert.ok(driver.running.health().ready)
    spares.fail(undefined)
    await feed(driver, pairs(10))
    assert.deepEqual(driver.running.health().problems, {})
    assert.deepEqual([(await readShadows(driver)).length, await committed(driver)], [10, 30])
    await driver.stop()
  })

  it('more than its rule allows is given up for all', async () => {
    const trial = await onTrial()
    const abortIf = { failureFactor: 2, latencyFactor: 100, minRecords: 20 }
    await trial.canary(shadow('picky-2', 100, { abortIf }))
    await trial.pipe()
    await trial.pipe()
    const { candidate, reason } = await trial.published()
    assert.deepEqual([candidate, reason?.includes('failed on the candidate')], [undefined, true])
    await trial.driver.stop()
  })
})

describe('the topic of a shadow', () => {
  it('that is missing is told, nothing is scored, and topics apply is enough', async () => {
    const of = clippingTopology(low)
    const { counts, metrics } = shadowCounts()
    const trial = await onTrial(of, { metrics })
    const { driver } = trial
    await driver.port.admin.deleteTopics([SHADOW_TOPIC])
    await trial.canary(shadow(high))
    await feed(driver, pairs(10))
    assert.match(driver.running.health().problems[`topic ${SHADOW_TOPIC}`]!, /does not exist.*kri topics apply/)
    const { state, reason } = trial.status().candidate!
    assert.equal(state, 'current')
    assert.match(reason!, /does not exist.*kri topics apply/)
    assert.deepEqual([counts.dropped.unwritten, counts.calls, await committed(driver)], [10, 0, 10])
    const existing = await driver.port.admin.describeTopics(topicNames(of))
    const { create } = planTopics(of, existing, { partitions: 1, replicationFactor: 1, minIsr: 1, brokerCount: 1 })
    await driver.port.admin.createTopics(create)
    await driver.advance(LOOK_AGAIN_MS)
    await feed(driver, pairs(10))
    assert.deepEqual([(await readShadows(driver)).length, driver.running.health().problems], [10, {}])
    assert.equal(trial.status().candidate!.reason, undefined)
    await driver.stop()
  })

  it('that refuses records is told, they are counted, and outputs go on', async () => {
    const { driver, counts } = await troubled()
    const accept = driver.broker.refuse(({ topic }) => topic === SHADOW_TOPIC, 'MESSAGE_TOO_LARGE')
    await feed(driver, pairs(10))
    assert.deepEqual([counts.rows.unwritten, counts.rows.different, await committed(driver)], [10, 10, 10])
    assert.match(driver.running.health().problems[`topic ${SHADOW_TOPIC}`]!, /MESSAGE_TOO_LARGE/)
    accept()
    await feed(driver, pairs(10))
    assert.deepEqual([(await readShadows(driver)).length, driver.running.health().problems], [10, {}])
    await driver.stop()
  })

  it('under exactly-once has its records beside every transaction', async () => {
    const { driver, canary } = await onTrial(clippingTopology(low), {
      settings: { processingGuarantee: 'exactly_once' },
    })
    await canary(shadow(high))
    driver.broker.delay('endTransaction', 500)
    await driver.pipe('in', pairs(10))
    await driver.advance(100)
    assert.equal(driver.broker.openTransactions().length, 1)
    assert.deepEqual([(await readShadows(driver)).length, (await driver.read('out')).length], [10, 0])
    driver.broker.mend()
    await driver.advance(2_000)
    assert.equal((await driver.read('out')).length, 10)
    assert.equal(await committed(driver), 10)
    await driver.stop()
  })
})

describe('a shadow of a handler that a user wrote', () => {
  const spoken = (modelId: string) =>
    modelHandler<number, { example: number; inference: number; modelId: string }, string>({
      name: 'spoken',
      modelId,
      loadModel: id => id,
      runInference: (batch, id) => batch.map(n => predictionResult(n, Math.min(n, 10 * Number(id)), id)),
    })

  it('compares what is in predictions, whatever model they name, and what functions change is not its', async () => {
    const step = numbersIn.runInference('add', keyed(spoken('1')), { modelMetadata: true })
    const changed = step.map(({ key, value }) => {
      Object.assign(value, { inference: -1 })
      return kv(key, String(value.inference))
    })
    const trial = await onTrial(topology('t', [changed.to('out', sumsOut)]))
    await trial.canary(shadow('2'))
    await trial.driver.pipe(
      'in',
      [5, 15, 25].map(value => ({ key: 'k', value })),
    )
    await trial.driver.advance(1_000)
    const records = await readShadows(trial.driver)
    assert.deepEqual(
      records.map(({ stable, candidate, differs }) => [stable.inference, candidate.inference, differs]),
      [
        [5, 5, false],
        [10, 15, true],
        [10, 20, true],
      ],
    )
    await trial.driver.stop()
  })
})
