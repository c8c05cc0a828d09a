import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { BatchOptions, KV } from 'kafka-run-inference'
import { RunInferenceError } from '../../src/errors.ts'
import type { RunningTopology } from '../../src/run.ts'
import type { FaultyExecutor, RowPredicate } from '../../src/testing/faulty-executor.ts'
import type { TopologyDriver } from '../../src/testing/index.ts'
import { type CountingMetrics, countingMetrics } from '../support/counting-metrics.ts'
import { digitTopology } from '../support/digit-topology.ts'
import { onFaultyDriver, passed, secondInstance } from '../support/on-driver.ts'

const PARTITIONS = 3
const TOPICS = ['out', 't.classify.failed-preprocess', 't.classify.failed-inference', 't.classify.failed-postprocess']
/** The model "throws" on images of this brightness. */
const POISON = 9
const BUSY = new RunInferenceError('MODEL_TRANSIENT', 'busy, says the test')
const isPoison: RowPredicate = ([x]) => (x as Float32Array)[0] === POISON

type Event =
  | { readonly kind: 'records'; readonly count: number; readonly seed: number }
  | { readonly kind: 'time'; readonly ms: number }
  | { readonly kind: 'broker'; readonly downMs: number }
  | { readonly kind: 'lostAnswers' | 'transient' | 'rebalance' | 'expire' | 'join' | 'leave' }
  | { readonly kind: 'model'; readonly outageMs: number }
  | { readonly kind: 'hang'; readonly ms: number }
  | { readonly kind: 'busy'; readonly calls: number }
  | { readonly kind: 'slow'; readonly point: 'produce' | 'commit' | 'fetch' | 'heartbeat'; readonly ms: number }

const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('records' as const),
      count: fc.nat({ max: 60 }),
      seed: fc.nat({ max: 99 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('time' as const), ms: fc.constantFrom(0, 10, 200, 1_000, 7_000) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('broker' as const), downMs: fc.constantFrom(50, 5_000, 60_000) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('lostAnswers' as const, 'transient', 'rebalance', 'expire', 'join', 'leave'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('model' as const), outageMs: fc.constantFrom(100, 20_000) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('busy' as const), calls: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('hang' as const), ms: fc.constantFrom(10, 4_000) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('slow' as const),
      point: fc.constantFrom('produce' as const, 'commit' as const, 'fetch' as const, 'heartbeat' as const),
      ms: fc.constantFrom(0, 30, 400),
    }),
  },
)

const HELD: BatchOptions = { maxSize: 32, minSize: 4, maxWaitMs: 20 }
/** Rows of 256 bytes in buckets by their first letter, and sizes that are learnt. */
const BATCHES: readonly BatchOptions[] = [
  HELD,
  { ...HELD, maxBytes: 2_000, bucketBy: element => (element as KV<string, string>).value[0]! },
  { maxSize: 32, adaptive: true },
]

/** More often than the model is ever busy: rows are found bad when it lasts and the control batch passes. */
const RETRY = { maxRetries: 200, maxDelayMs: 200 }

describe('whatever happens', () => {
  it('I1, I2, I5, I8, I10: nothing is lost, order holds, no outage makes a dead letter, credits come back', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(event, { minLength: 3, maxLength: 25 }),
        fc.constantFrom(1, 2),
        fc.constantFrom(...BATCHES),
        async (events, lanes, batch) => {
          const metrics = countingMetrics()
          await onFaultyDriver(
            digitTopology({ step: { batch, retry: RETRY } }),
            async (driver, executor) => {
              const course = new Course(driver, executor, metrics)
              for (const each of events) await course.apply(each)
              await course.heal()
              await course.check()
            },
            { partitions: PARTITIONS, lanes, metrics, settings: { maxInFlightRows: 150, maxBytesPerPartition: 2_000 } },
          )
        },
      ),
      { numRuns: 60, interruptAfterTimeLimit: 60_000 },
    )
  })
})

class Course {
  readonly #driver: TopologyDriver
  readonly #executor: FaultyExecutor
  readonly #metrics: CountingMetrics
  readonly #fed = new Array<number>(PARTITIONS).fill(0)
  #second: RunningTopology | undefined
  /** Work may have been sent and not committed: the same records may come twice. */
  #mayRepeat = false
  #hasFailed = false

  constructor(driver: TopologyDriver, executor: FaultyExecutor, metrics: CountingMetrics) {
    this.#driver = driver
    this.#executor = executor
    this.#metrics = metrics
    executor.failRowsWhere(isPoison)
  }

  async apply(each: Event): Promise<void> {
    const { broker } = this.#driver
    if (each.kind === 'records') await this.#feed(each.count, each.seed)
    else if (each.kind === 'time') await this.#driver.advance(each.ms)
    else if (each.kind === 'slow') broker.delay(each.point, each.ms)
    else if (each.kind === 'lostAnswers') broker.loseResponse(2)
    else if (each.kind === 'transient') this.#failOnce()
    else if (each.kind === 'rebalance') broker.forceRebalance('t')
    else if (each.kind === 'broker') await this.#outage(each.downMs)
    else if (each.kind === 'model') await this.#modelOutage(each.outageMs)
    else if (each.kind === 'busy') this.#executor.failRuns(each.calls, BUSY)
    else if (each.kind === 'hang') await this.#hang(each.ms)
    else if (each.kind === 'expire') this.#expire()
    else if (each.kind === 'join')
      this.#second ??= await secondInstance(
        this.#driver,
        digitTopology({ step: { batch: HELD, retry: RETRY } }),
        {},
        isPoison,
      )
    else await this.#leave()
  }

  /** Ends every fault and waits until nothing can be left to do. */
  async heal(): Promise<void> {
    for (const point of ['produce', 'commit', 'fetch', 'heartbeat'] as const) this.#driver.broker.delay(point, 0)
    this.#executor.failControl(false)
    await this.#driver.advance(150_000)
  }

  async check(): Promise<void> {
    const { port } = this.#driver
    assert.deepEqual(await port.admin.committed('t', 'in'), this.#fed, 'everything is committed')
    const all: string[] = []
    for (const topic of TOPICS) {
      const records = await this.#driver.read(topic)
      for (const { headers } of records) all.push(headers['kri-source']!)
      for (let partition = 0; partition < PARTITIONS; partition++) {
        const offsets = records
          .map(({ headers }) => headers['kri-source']!.split('/').map(Number))
          .flatMap(([, from, offset]) => (from === partition ? [offset!] : []))
        const firsts = offsets.filter((offset, i) => offsets.indexOf(offset) === i)
        assert.deepEqual(
          firsts,
          firsts.toSorted((a, b) => a - b),
          `I2: ${topic}/${partition}`,
        )
      }
      if (topic.endsWith('inference')) {
        for (const { headers, bytes } of records)
          assert.ok(
            headers['kri-code'] === 'SHAPE_MISMATCH' || String(bytes) === String(POISON),
            `I10: ${bytes} is no bad row`,
          )
      }
    }
    const total = this.#fed.reduce((sum, count) => sum + count, 0)
    assert.equal(new Set(all).size, total, 'I1: nothing is lost')
    if (!this.#mayRepeat) assert.equal(all.length, total, 'nothing comes twice')
    assert.equal(this.#metrics.inFlightNow, 0, 'I5: credits come back')
    assert.deepEqual(this.#driver.running.health().problems, {}, 'healthy again')
    await this.#leave()
  }

  async #feed(count: number, seed: number): Promise<void> {
    const records = Array.from({ length: count }, (_, i) => ({
      key: `k${seed}-${i}`,
      value: ['pre', 'post', 'short', 'wide'][(seed + i) % 50] ?? String((seed + i) % 17),
      partition: (seed * i) % PARTITIONS,
    }))
    for (const { partition } of records) this.#fed[partition]!++
    await this.#driver.pipe('in', records)
  }

  async #outage(ms: number): Promise<void> {
    this.#driver.broker.down()
    await this.#driver.advance(ms)
    this.#driver.broker.up()
    this.#mayRepeat = true
  }

  async #modelOutage(ms: number): Promise<void> {
    this.#executor.failControl(true)
    this.#executor.failRowsWhere(() => true)
    await this.#driver.advance(ms)
    this.#executor.failControl(false)
    this.#executor.failRowsWhere(isPoison)
  }

  async #hang(ms: number): Promise<void> {
    const release = this.#executor.hang()
    await this.#driver.advance(ms)
    release()
  }

  /** Once per course: a row that fails for a moment twice, in its batch and alone, cannot be told from a bad one. */
  #failOnce(): void {
    if (!this.#hasFailed) this.#executor.failRuns(1)
    this.#hasFailed = true
  }

  #expire(): void {
    const members = this.#driver.broker.members('t')
    if (members.length > 0) this.#driver.broker.expireMember('t', members[0]!)
    this.#mayRepeat = true
  }

  async #leave(): Promise<void> {
    const second = this.#second
    this.#second = undefined
    if (second) await passed(this.#driver, second.stop())
  }
}
