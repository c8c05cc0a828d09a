import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { ModelLimits } from 'kafka-run-inference'
import type { FaultyExecutor } from '../../src/testing/faulty-executor.ts'
import type { TopologyDriver } from '../../src/testing/index.ts'
import { asked, askTopology, type KeyedModels, keyedModels } from '../support/keyed-models.ts'
import { onFaultyDriver } from '../support/on-driver.ts'

const PARTITIONS = 2
/** Model a has the keys a0 and a1, and so on; no model has the key zz. */
const MODELS = ['a', 'b', 'c', 'd', 'e']
/** The model throws on this example. */
const BAD = 13

type Event =
  | { readonly kind: 'records'; readonly keys: readonly number[]; readonly seed: number }
  | { readonly kind: 'time'; readonly ms: number }
  | { readonly kind: 'broken' | 'out'; readonly model: number; readonly ms: number }
  | { readonly kind: 'hang' | 'lose'; readonly ms: number }
  | { readonly kind: 'expire' | 'rebalance' }

const model = fc.nat({ max: MODELS.length - 1 })
const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('records' as const),
      keys: fc.array(fc.nat({ max: 2 * MODELS.length }), { minLength: 1, maxLength: 40 }),
      seed: fc.nat({ max: 20 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('time' as const), ms: fc.constantFrom(0, 20, 300, 11_000) }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom('broken' as const, 'out'), model, ms: fc.constantFrom(50, 4_000) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom('hang' as const, 'lose'), ms: fc.constantFrom(10, 1_000) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('expire' as const, 'rebalance') }) },
)

const limits: fc.Arbitrary<ModelLimits> = fc.oneof(
  fc.constant({}),
  fc.record({ maxModelsPerWorker: fc.integer({ min: 1, max: 4 }) }),
)

describe('models for keys, whatever happens', () => {
  it('every record ends once, in order, with the result of its own key’s model', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(event, { minLength: 3, maxLength: 20 }),
        limits,
        fc.integer({ min: 1, max: 3 }),
        fc.constantFrom({ maxSize: 8 }, { maxSize: 8, maxWaitMs: 20 }, { maxSize: 1 }),
        async (events, limit, lanes, batch) => {
          const models = keyedModels(Object.fromEntries(MODELS.map(name => [name, [`${name}0`, `${name}1`]])))
          await onFaultyDriver(
            askTopology(models, limit, { batch }),
            async (driver, executor) => {
              const course = new Course(driver, executor, models)
              for (const each of events) await course.apply(each)
              await course.check()
            },
            { partitions: PARTITIONS, lanes },
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
  readonly #models: KeyedModels
  /** `key=example` of each record, by partition. */
  readonly #fed = Array.from({ length: PARTITIONS }, (): string[] => [])
  /** Models whose loads may have failed. */
  readonly #suspects = new Set<string>()
  /** Work may have been sent and not committed: the same records may come twice. */
  #mayRepeat = false

  constructor(driver: TopologyDriver, executor: FaultyExecutor, models: KeyedModels) {
    this.#driver = driver
    this.#executor = executor
    this.#models = models
  }

  async apply(each: Event): Promise<void> {
    const { broker } = this.#driver
    if (each.kind === 'records') await this.#feed(each.keys, each.seed)
    else if (each.kind === 'time') await this.#driver.advance(each.ms)
    else if (each.kind === 'rebalance') broker.forceRebalance('t')
    else if (each.kind === 'expire') this.#expire()
    else if (each.kind === 'hang') await this.#until(this.#executor.hang(), each.ms)
    else if (each.kind === 'lose') await this.#until(this.#executor.lose(0), each.ms)
    else if (each.kind === 'broken' || each.kind === 'out')
      await this.#fail(this.#models[each.kind], MODELS[each.model]!, each.ms)
  }

  async check(): Promise<void> {
    await this.#driver.advance(150_000)
    const ended = this.#fed.map(() => new Map<number, number>())
    for (const topic of ['out', 't.ask.failed-inference']) {
      const newest = this.#fed.map(() => -1)
      for (const { key, value, headers } of await this.#driver.read(topic)) {
        const [, partition, offset] = headers['kri-source']!.split('/').map(Number) as [number, number, number]
        const times = ended[partition]!.get(offset) ?? 0
        ended[partition]!.set(offset, times + 1)
        if (times === 0) assert.ok(offset > newest[partition]!, `${topic}: in order`)
        newest[partition] = Math.max(newest[partition]!, offset)
        this.#checkOne(this.#fed[partition]![offset]!, topic === 'out' ? `${key}=${value}` : headers['kri-code']!)
      }
    }
    for (const [partition, records] of this.#fed.entries()) {
      assert.equal(ended[partition]!.size, records.length, 'every record ends')
      if (!this.#mayRepeat)
        assert.ok(
          [...ended[partition]!.values()].every(times => times === 1),
          'once',
        )
    }
    assert.deepEqual(this.#driver.running.health().problems, {}, 'healthy again')
  }

  /** `end`: the answer, or the code of a dead letter. */
  #checkOne(record: string, end: string): void {
    const [key, example] = record.split('=') as [string, string]
    const own = key[0]!
    if (end === 'KEY_UNKNOWN') assert.equal(key, 'zz')
    else if (end === 'MODEL_LOAD_FAILED') assert.ok(this.#suspects.has(own), `${own} was never broken`)
    else if (end === 'INFERENCE_FAILED') assert.equal(Number(example), BAD, 'only a bad row is one')
    else assert.equal(end, `${key}=${own}:${example}`, 'the model of its key')
  }

  async #feed(keys: readonly number[], seed: number): Promise<void> {
    const records = keys.map((number, i) => {
      const name = MODELS[number >> 1]
      const text = `${name === undefined ? 'zz' : `${name}${number & 1}`}=${1 + ((seed + i) % 25)}`
      const partition = (seed + i) % PARTITIONS
      this.#fed[partition]!.push(text)
      return { ...asked(text)[0]!, partition }
    })
    await this.#driver.pipe('in', records)
  }

  /** A model that is out cannot be loaded either. */
  async #fail(failing: Set<string>, name: string, ms: number): Promise<void> {
    this.#suspects.add(name)
    failing.add(name)
    await this.#feed([2 * MODELS.indexOf(name), 0, 1, 2, 3, 4], 0)
    await this.#driver.advance(ms)
    failing.delete(name)
  }

  async #until(end: () => void, ms: number): Promise<void> {
    await this.#feed([0, 2, 4, 6], 0)
    await this.#driver.advance(ms)
    end()
  }

  #expire(): void {
    const [member] = this.#driver.broker.members('t')
    if (member !== undefined) this.#driver.broker.expireMember('t', member)
    this.#mayRepeat = true
  }
}
