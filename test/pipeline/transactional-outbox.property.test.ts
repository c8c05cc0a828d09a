import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { RunInferenceError } from '../../src/errors.ts'
import type { PartitionFlow } from '../../src/pipeline/partition-flow.ts'
import type { WorkBlock } from '../../src/pipeline/work-block.ts'
import { createManualClock } from '../../src/testing/index.ts'
import { LETTERS, type OutboxInstance, outboxInstance, refusedPoint } from '../support/outbox-instance.ts'
import { lost, recordingTransactions, type TransactionPoint } from '../support/recording-transactions.ts'
import { sourceOf } from '../support/show-record.ts'
import { blockOf, flowOf, putOutput, sourceRecord, workOf } from '../support/work-blocks.ts'

const IN = { topic: 'in', partition: 0 }
const GROUP_PLACE = 'app in/0'
const POINTS: readonly TransactionPoint[] = ['fence', 'send', 'offsets', 'commit', 'committed', 'abort']

/** What one row gives at each of the two sinks. */
type Fate = 'nothing' | 'null' | 'value' | 'refused' | 'failure'

const input = fc.record({
  /** The source: rows, cut into the blocks of a fetch anew whenever it is read. */
  rows: fc.array(
    fc.tuple(
      ...([0, 1].map(() =>
        fc.constantFrom<Fate>('nothing', 'null', 'value', 'value', 'value', 'refused', 'failure'),
      ) as [fc.Arbitrary<Fate>, fc.Arbitrary<Fate>]),
    ),
    { minLength: 1, maxLength: 40 },
  ),
  /** Decides what happens next, and how long calls take. */
  chance: fc.infiniteStream(fc.nat({ max: 9_999 })),
  maxBatchBytes: fc.constantFrom(150, 400, 5_000),
  /** 0: no limit; else the "broker" refuses batches of more records. */
  maxRecords: fc.constantFrom(0, 0, 0, 2),
  /** How many losses, of 100 steps. */
  losses: fc.constantFrom(0, 5, 20),
})

describe('the transactional outbox, whatever happens when', () => {
  it('X1–X7: each output is seen once and in order, with its offset, through refusals, losses and zombies', async () => {
    await fc.assert(
      fc.asyncProperty(input, async given => {
        const course = new Course(given)
        await course.run()
        course.check()
      }),
      { numRuns: 100 },
    )
  })
})

type Given = typeof input extends fc.Arbitrary<infer T> ? T : never

interface Owner {
  readonly instance: OutboxInstance
  flow: PartitionFlow | undefined
  pending: { readonly work: WorkBlock; readonly row: number }[]
}

class Course {
  readonly #given: Given
  readonly #clock = createManualClock()
  readonly #brokers
  /** The last one owns the partition; those before may not have heard of it. */
  readonly #owners: Owner[] = []
  #acknowledged = 0

  constructor(given: Given) {
    this.#given = given
    const { maxRecords } = given
    this.#brokers = recordingTransactions(
      (topic, records) => {
        if (topic === LETTERS) return undefined
        if (maxRecords > 0 && records.length > maxRecords) return 'MESSAGE_TOO_LARGE'
        return records.some(({ value }) => value?.toString().startsWith('refused')) ? 'INVALID_RECORD' : undefined
      },
      () => this.#random(4),
    )
  }

  async run(): Promise<void> {
    this.#join()
    for (let step = 0; this.#brokers.offsets.get(GROUP_PLACE) !== this.#given.rows.length; step++) {
      assert.ok(step < 20_000, 'it comes to an end')
      await this.#step(step < 2_000)
    }
    await this.#clock.advance(1_000)
  }

  async #step(withLosses: boolean): Promise<void> {
    const owner = this.#owners.at(-1)!
    if (withLosses && this.#random(100) < this.#given.losses) this.#disturb(owner)
    if (owner.flow?.lost !== false) await this.#assign(owner)
    // A zombie goes on with what it has.
    for (const each of this.#owners) this.#finishOne(each)
    if (this.#random(3) === 0) await this.#clock.settle()
    if (this.#random(8) === 0) await this.#clock.advance(this.#random(150))
  }

  #disturb(owner: Owner): void {
    const what = this.#random(4)
    if (what === 0) this.#join()
    else if (what === 1 && owner.flow) owner.instance.lose(owner.flow)
    else this.#brokers.failNext(POINTS[this.#random(POINTS.length)]!, lost())
    owner.instance.isDraining = this.#random(3) === 0
  }

  /** Another instance is given the partition; the one before has not heard of it. */
  #join(): void {
    const { maxBatchBytes } = this.#given
    const instance = outboxInstance(this.#clock, this.#brokers, { maxBatchBytes })
    this.#owners.push({ instance, flow: undefined, pending: [] })
  }

  async #assign(owner: Owner): Promise<void> {
    const position = await owner.instance.assigned(IN).catch((error: unknown) => {
      assert.ok(error instanceof RunInferenceError && error.retriable)
      return undefined
    })
    if (position === undefined) return
    owner.flow = flowOf(IN.topic, IN.partition, position)
    owner.pending = []
    for (let from = position; from < this.#given.rows.length; ) {
      const to = Math.min(this.#given.rows.length, from + 1 + this.#random(9))
      const records = Array.from({ length: to - from }, (_, i) => sourceRecord(from + i))
      const work = workOf(blockOf(records), owner.flow, 2)
      for (let row = 0; row < to - from; row++) owner.pending.push({ work, row })
      from = to
    }
  }

  /** Rows of any place become done: batches overtake one another. */
  #finishOne({ instance, flow, pending }: Owner): void {
    if (!flow) return
    const [next] = pending.splice(this.#random(Math.max(1, pending.length)), 1)
    if (next) this.#finish(next.work, next.row)
    instance.outbox.advance(flow)
    this.#checkAcknowledged(instance)
  }

  #finish(work: WorkBlock, row: number): void {
    const at = work.block.offset(row)
    work.addBranches(row, 1)
    for (const [sink, fate] of this.#given.rows[at]!.entries()) {
      if (fate === 'failure') {
        const error = new RunInferenceError('ENCODE_SCHEMA', 'asked for by the test')
        work.fail(row, { ...refusedPoint, node: `sink ${sink}` }, sink, error)
        continue
      }
      if (fate === 'null') putOutput(work, sink, row, null)
      else if (fate !== 'nothing') putOutput(work, sink, row, Buffer.from(`${fate} ${at}`))
      work.complete(row)
    }
  }

  /** X2 */
  #checkAcknowledged({ units }: OutboxInstance): void {
    const committed = this.#brokers.offsets.get(GROUP_PLACE) ?? 0
    for (const { nextOffset } of units) assert.ok(nextOffset <= committed, 'acknowledged only behind the commit')
    this.#acknowledged = Math.max(this.#acknowledged, ...units.map(({ nextOffset }) => nextOffset))
  }

  check(): void {
    const { rows } = this.#given
    for (const { instance } of this.#owners) assert.deepEqual(instance.fatal, [])
    for (const [sink, topic] of ['out', 'other'].entries()) {
      const wanted = rows.flatMap((fates, at) =>
        fates[sink] === 'value' ? [`value ${at}`] : fates[sink] === 'null' ? [`null ${at}`] : [],
      )
      const got = (this.#brokers.logs.get(`${topic}/0`) ?? []).map(record =>
        record.value === null ? `null ${sourceOf(record).split('/')[2]}` : String(record.value),
      )
      assert.deepEqual(got, wanted, `X1, X3: ${topic}`)
    }
    const letters = (this.#brokers.logs.get(`${LETTERS}/0`) ?? []).map(letter => Number(sourceOf(letter).split('/')[2]))
    const failed = rows.flatMap((fates, at) => {
      const refused = fates.includes('refused') ? 1 : 0
      return Array<number>(fates.filter(fate => fate === 'failure').length + refused).fill(at)
    })
    assert.deepEqual(letters, failed, 'X5: each dead letter once, in source order')
    assert.deepEqual(this.#brokers.open, [], 'nothing is left open')
  }

  #random(below: number): number {
    return this.#given.chance.next().value % below
  }
}
