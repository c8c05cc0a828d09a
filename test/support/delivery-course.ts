/**
 * Numbered records through two steps with a topic in between, while the broker fails in every way that it knows and instances
 * come and go; at the end a reckoning of where each record is. What becomes of a record follows from its kind alone.
 */
import assert from 'node:assert/strict'
import { from, type KV, keyed, modelHandler, topology } from 'kafka-run-inference'
import { RunInferenceError } from '../../src/errors.ts'
import type { KafkaPort } from '../../src/kafka/port.ts'
import type { PipelineMetrics } from '../../src/pipeline/pipeline-metrics.ts'
import type { RunningTopology } from '../../src/run.ts'
import type { RunSettings } from '../../src/run-settings.ts'
import type { OutputRecord, TopologyDriver } from '../../src/testing/index.ts'
import type { LosablePoint, SlowPoint } from '../../src/testing/memory-broker.ts'
import { strings } from './digit-topology.ts'
import { passed, secondInstance } from './on-driver.ts'

export const PARTITIONS = 2

/** What a record says shall happen to it, and the topic in which it then ends; undefined: it is dropped. */
const OUTCOMES = {
  ok: 'out',
  drop: undefined,
  pre: 't.first.failed-preprocess',
  'bad-first': 't.first.failed-inference',
  post: 't.first.failed-postprocess',
  'refuse-between': 't.first.failed-postprocess',
  'bad-second': 't.second.failed-inference',
  'refuse-out': 't.second.failed-postprocess',
} as const
export type Kind = keyof typeof OUTCOMES
const SECOND: ReadonlySet<string | undefined> = new Set(['out', OUTCOMES['bad-second'], OUTCOMES['refuse-out']])

export const COURSE_SETTINGS: Partial<RunSettings> = {
  sessionTimeoutMs: 6_000,
  rebalanceTimeoutMs: 10_000,
  transactionTimeoutMs: 5_000,
  maxInFlightRows: 60,
  maxBytesPerPartition: 1_000,
  floodRatio: 1,
}

const model = (name: string) =>
  keyed(
    modelHandler<string, string, object>({
      name,
      loadModel: () => ({}),
      runInference(texts) {
        if (texts.some(text => text === `bad-${name}`)) throw new RangeError('a bad row')
        return [...texts]
      },
      controlBatch: () => ['ok'],
    }),
  )
    .withPreprocess((each: KV<string, string>) => refused(each, 'pre'))
    .withPostprocess(each => refused(each, 'post'))

function refused<T extends KV<string, string>>(element: T, kind: Kind): T {
  if (element.value === kind) throw new RangeError(`asked for by the record: ${kind}`)
  return element
}

export function twoSteps() {
  const batch = { maxSize: 8, minSize: 2, maxWaitMs: 20 }
  return topology('t', [
    from('in', strings)
      .filter(({ value }) => value !== 'drop')
      .runInference('first', model('first'), { batch })
      .through('between', strings)
      .runInference('second', model('second'), { batch })
      .to('out', strings),
  ])
}

export type Fault =
  | { readonly kind: 'records'; readonly kinds: readonly Kind[]; readonly partition: number }
  | { readonly kind: 'time'; readonly ms: number }
  | { readonly kind: 'outage'; readonly ms: number }
  | { readonly kind: 'lose'; readonly point: LosablePoint; readonly times: number }
  | { readonly kind: 'fail'; readonly point: LosablePoint | 'commit' | 'fetch' | 'heartbeat' | 'join' }
  | { readonly kind: 'slow'; readonly point: SlowPoint; readonly ms: number }
  | { readonly kind: 'cut' | 'zombies'; readonly which: number; readonly ms: number }
  | { readonly kind: 'rebalance' | 'expire' | 'timeOut' | 'join' | 'leave'; readonly which: number }

interface Place {
  readonly partition: number
  readonly offset: number
}

export class DeliveryCourse {
  readonly #driver: TopologyDriver
  readonly #metrics: PipelineMetrics
  readonly #guarantee: RunSettings['processingGuarantee']
  readonly #others: { readonly running: RunningTopology; readonly port: KafkaPort }[] = []
  /** By key: what was fed. */
  readonly #fed = new Map<string, Place & { readonly kind: Kind }>()
  readonly #counts = new Array<number>(PARTITIONS).fill(0)

  /** @param metrics what all instances tell */
  constructor(driver: TopologyDriver, guarantee: RunSettings['processingGuarantee'], metrics: PipelineMetrics) {
    this.#driver = driver
    this.#metrics = metrics
    this.#guarantee = guarantee
    for (const topic of ['between', 'out'])
      driver.broker.refuse(batch => batch.topic === topic && batch.bytes.includes(`refuse-${topic}`), 'INVALID_RECORD')
  }

  async apply(fault: Fault): Promise<void> {
    const { broker } = this.#driver
    if (fault.kind === 'records') await this.#feed(fault.kinds, fault.partition)
    else if (fault.kind === 'time') await this.#driver.advance(fault.ms)
    else if (fault.kind === 'lose') broker.loseResponse(fault.times, fault.point)
    else if (fault.kind === 'fail')
      broker.failNext(fault.point, new RunInferenceError('BROKER_UNAVAILABLE', 'by the test'))
    else if (fault.kind === 'slow') broker.delay(fault.point, fault.ms)
    else if (fault.kind === 'outage') {
      broker.down()
      await this.#driver.advance(fault.ms)
      broker.up()
    } else if (fault.kind === 'rebalance') broker.forceRebalance(this.#group(fault.which))
    else if (fault.kind === 'expire') this.#expire(fault.which)
    else if (fault.kind === 'timeOut') for (const id of broker.openTransactions()) broker.timeOutTransaction(id)
    else if (fault.kind === 'cut') this.#cut(fault.which, fault.ms)
    else if (fault.kind === 'zombies') this.#zombies(fault.ms)
    else if (fault.kind === 'join') await this.#join()
    else await this.#leave(fault.which)
  }

  /** Ends every fault, and waits until nothing can be left to do. */
  async heal(): Promise<void> {
    this.#driver.broker.mend()
    await this.#driver.advance(90_000)
  }

  async check(): Promise<void> {
    await this.#checkOffsets()
    const between = await this.#driver.read('between')
    const places = new Map<string, Place>()
    // At least once, it may be there again further on.
    for (const { key, partition, offset } of between)
      if (!places.has(String(key))) places.set(String(key), { partition, offset })
    const found = new Map<string, string[]>()
    for (const topic of new Set(Object.values(OUTCOMES))) {
      if (topic === undefined) continue
      const records = await this.#driver.read(topic)
      for (const { key } of records) found.set(String(key), [...(found.get(String(key)) ?? []), topic])
      // At least once, what a broker refuses is found when its neighbours are written: its dead letter comes late.
      const isLate = ({ value }: OutputRecord) =>
        this.#guarantee === 'at_least_once' && /^refuse/.test(String(value)) && topic.includes('failed')
      const inOrder = records.filter(record => !isLate(record))
      assertOrder(topic, inOrder, SECOND.has(topic) ? places : this.#fed)
    }
    assertOrder('between', between, this.#fed)
    for (const [key, { kind }] of this.#fed) {
      const expected = OUTCOMES[kind]
      this.#assertOnce(`${key} (${kind})`, found.get(key) ?? [], expected)
      const passes = between.filter(record => record.key === key).map(() => 'between')
      this.#assertOnce(`${key} (${kind})`, passes, SECOND.has(expected) ? 'between' : undefined)
    }
    assert.deepEqual(this.#driver.running.health().problems, {}, 'healthy again')
    while (this.#others.length > 0) await this.#leave(0)
  }

  async #checkOffsets(): Promise<void> {
    const { admin } = this.#driver.port
    assert.deepEqual(await admin.committed('t', 'in'), this.#counts, 'all of it is committed')
    const ends = (await admin.offsets('between')).map(({ end }) => end)
    assert.deepEqual(await admin.committed('t.between', 'between'), ends, 'all of what is in between is committed')
  }

  #assertOnce(what: string, found: readonly string[], expected: string | undefined): void {
    const wanted = expected === undefined ? [] : [expected]
    const isEnough = this.#guarantee === 'exactly_once' || found.length === 0
    assert.deepEqual(isEnough ? found : [...new Set(found)], wanted, `I1: ${what}`)
  }

  async #feed(kinds: readonly Kind[], partition: number): Promise<void> {
    const records = kinds.map(kind => {
      const offset = this.#counts[partition]!++
      const key = `${partition}-${offset}`
      this.#fed.set(key, { partition, offset, kind })
      return { key, value: kind, partition }
    })
    await this.#driver.pipe('in', records)
  }

  #group(which: number): string {
    return which % 2 === 0 ? 't' : 't.between'
  }

  #expire(which: number): void {
    const group = this.#group(which)
    const members = this.#driver.broker.members(group)
    if (members.length > 0) this.#driver.broker.expireMember(group, members[which % members.length]!)
  }

  /** Others go on without it; what it was about to do reaches the broker when all has been given away. */
  #cut(which: number, ms: number): void {
    const { broker, clock } = this.#driver
    const other = this.#others[which % Math.max(1, this.#others.length)]
    if (other) clock.after(ms, broker.cut(other.port))
  }

  /** The other instances are dropped from their groups, do not hear of it, and go on writing. */
  #zombies(ms: number): void {
    const { broker, clock } = this.#driver
    for (const { port } of this.#others) clock.after(ms, broker.cut(port, ['heartbeat']))
    for (const group of ['t', 't.between'])
      for (const member of broker.members(group)) broker.expireMember(group, member)
  }

  async #join(): Promise<void> {
    if (this.#others.length === 2) return
    const settings = { ...COURSE_SETTINGS, processingGuarantee: this.#guarantee }
    const port = this.#driver.broker.connect()
    const metrics = this.#metrics
    this.#others.push({
      running: await secondInstance(this.#driver, twoSteps(), settings, undefined, { port, metrics }),
      port,
    })
  }

  async #leave(which: number): Promise<void> {
    const [other] = this.#others.splice(which % Math.max(1, this.#others.length), 1)
    if (other) await passed(this.#driver, other.running.stop())
  }
}

/** I2: what came of one partition is in order in each partition of the topic; what came again is looked at once. */
function assertOrder(topic: string, records: readonly OutputRecord[], sources: ReadonlyMap<string, Place>): void {
  const last = new Map<string, number>()
  const seen = new Set<string>()
  for (const { key, partition } of records) {
    const source = sources.get(String(key))
    assert.ok(source, `${topic}: nobody knows of ${key}`)
    if (seen.has(String(key))) continue
    seen.add(String(key))
    const way = `${source.partition} to ${topic}/${partition}`
    assert.ok(source.offset > (last.get(way) ?? -1), `I2: ${key} comes late from ${way}`)
    last.set(way, source.offset)
  }
}
