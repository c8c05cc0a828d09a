import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Clock } from '../../src/ops/clock.ts'
import type { TransactionalOutboxOptions } from '../../src/pipeline/transactional-outbox.ts'
import { createManualClock } from '../../src/testing/index.ts'
import { LETTERS, outboxInstance, refusedPoint } from '../support/outbox-instance.ts'
import type { TestRecord } from '../support/record-batches.ts'
import { recordingTransactions } from '../support/recording-transactions.ts'
import { header, sourceOf } from '../support/show-record.ts'
import { blockOf, flowOf, putOutput, sourceRecord, workOf } from '../support/work-blocks.ts'

const ROWS = 20
type Refusal = (topic: string, records: readonly TestRecord[], bytes: number) => string | undefined

const isBad = ({ value }: TestRecord) => value?.toString().startsWith('bad') === true

async function setUp(refusal: Refusal, bad: ReadonlySet<number>, change: Partial<TransactionalOutboxOptions> = {}) {
  const clock = createManualClock()
  const brokers = recordingTransactions(refusal)
  const instance = outboxInstance(clock, brokers, change)
  await instance.assigned({ topic: 'in', partition: 0 })
  const flow = flowOf()
  const work = workOf(blockOf(Array.from({ length: ROWS }, (_, i) => sourceRecord(i))), flow, 2)
  for (let row = 0; row < ROWS; row++) {
    putOutput(work, 0, row, Buffer.from(`${bad.has(row) ? 'bad' : 'good'} ${row}`))
    putOutput(work, 1, row, Buffer.from(`other ${row}`))
    work.complete(row)
  }
  const values = (place: string) => (brokers.logs.get(place) ?? []).map(({ value }) => String(value))
  const letters = () => brokers.logs.get(`${LETTERS}/0`) ?? []
  return { clock, brokers, instance, flow, work, values, letters }
}

const numbers = (name: string, without: ReadonlySet<number> = new Set()) =>
  Array.from({ length: ROWS }, (_, i) => i)
    .filter(i => !without.has(i))
    .map(i => `${name} ${i}`)

describe('outputs that the broker refuses, in transactions', () => {
  it('X5: become dead letters of their rows, in order, in a transaction that holds all the others', async () => {
    const bad = new Set([3, 4, 17])
    const refusal: Refusal = (_, records) => (records.some(isBad) ? 'INVALID_RECORD' : undefined)
    const { clock, brokers, instance, flow, values, letters } = await setUp(refusal, bad)
    instance.outbox.advance(flow)
    await clock.settle()
    assert.deepEqual(values('out/0'), numbers('good', bad))
    assert.deepEqual(values('other/0'), numbers('other'), 'what else the row has given is written')
    assert.deepEqual(letters().map(sourceOf), ['in/0/3', 'in/0/4', 'in/0/17'])
    for (const letter of letters()) {
      assert.equal(header(letter, 'kri-code'), 'OUTPUT_REFUSED')
      assert.equal(String(letter.value).startsWith('value'), true, 'a dead letter is the source record')
    }
    assert.deepEqual(instance.ends, ['in aborted', 'in committed'])
    assert.equal(brokers.offsets.get('app in/0'), ROWS)
    assert.deepEqual(
      instance.units.map(({ rows, refused }) => [rows, refused.length]),
      [[ROWS, 0]],
    )
  })

  it('X5: one that is too large is told as that, and counted with the failures of its row', async () => {
    const refusal: Refusal = (_, records) => (records.some(isBad) ? 'MESSAGE_TOO_LARGE' : undefined)
    const { clock, instance, flow, work, letters } = await setUp(refusal, new Set([5]))
    instance.outbox.advance(flow)
    await clock.settle()
    assert.deepEqual(
      letters().map(letter => header(letter, 'kri-code')),
      ['OUTPUT_TOO_LARGE'],
    )
    assert.deepEqual(
      work.failuresOf(5)!.map(({ error, point }) => [error.code, point]),
      [['OUTPUT_TOO_LARGE', refusedPoint]],
    )
  })

  it('X5: a topic that takes less than it said, whose records are all fine, gets smaller batches', async () => {
    const refusal: Refusal = (topic, records) =>
      topic === 'out' && records.length > 3 ? 'MESSAGE_TOO_LARGE' : undefined
    const { clock, instance, flow, values, letters } = await setUp(refusal, new Set())
    instance.outbox.advance(flow)
    await clock.advance(10_000)
    assert.deepEqual(values('out/0'), numbers('good'))
    assert.deepEqual([letters(), instance.fatal], [[], []])
    const aborted = instance.ends.filter(end => end === 'in aborted').length
    assert.ok(aborted > 0 && aborted <= 4, `${aborted} transactions were aborted on the way`)
  })

  it('X5: a search that takes too long for one transaction goes on in the next', async () => {
    const bad = new Set(Array.from({ length: ROWS }, (_, i) => i).filter(i => i % 2 === 1))
    let sends = 0
    const refusal: Refusal = (_, records) => {
      sends++
      return records.some(isBad) ? 'INVALID_RECORD' : undefined
    }
    // Each batch that is sent takes 10 ms.
    const slow: Clock = { ...createManualClock(), now: () => 10 * sends }
    const { clock, instance, flow, values, letters } = await setUp(refusal, bad, { clock: slow, searchMs: 100 })
    instance.outbox.advance(flow)
    await clock.settle()
    assert.deepEqual(values('out/0'), numbers('good', bad))
    assert.equal(letters().length, bad.size)
    const aborted = instance.ends.filter(end => end === 'in aborted').length
    assert.ok(aborted > 1 && aborted <= bad.size, `${aborted} transactions were aborted on the way`)
  })

  it('X5: batches that were too large to be searched in time are smaller until they are through, and then as before', async () => {
    const bad = new Set([7])
    const refusal: Refusal = (_, records) => (records.some(isBad) ? 'INVALID_RECORD' : undefined)
    // No time at all: a batch is cut until the bad record is alone.
    const { clock, instance, flow, values, letters } = await setUp(refusal, bad, { searchMs: 0 })
    const sizes = () => instance.outputs.outlets.map(({ target }) => target.maxBatchBytes)
    const before = sizes()
    instance.outbox.advance(flow)
    await clock.settle()
    assert.deepEqual(values('out/0'), numbers('good', bad))
    assert.deepEqual(values('other/0'), numbers('other'))
    assert.deepEqual(letters().map(sourceOf), ['in/0/7'])
    assert.deepEqual(sizes(), before)
  })

  it('X5: a dead letter that is refused itself ends the application, with nothing of it written', async () => {
    const refusal: Refusal = (topic, records) =>
      topic === LETTERS || records.some(isBad) ? 'MESSAGE_TOO_LARGE' : undefined
    const { clock, brokers, instance, flow } = await setUp(refusal, new Set([2]))
    instance.outbox.advance(flow)
    await clock.settle()
    assert.match(String(instance.fatal[0]), /BROKER_REFUSED.*refuses the dead letter of in\/0 offset 2/)
    assert.deepEqual([[...brokers.logs], instance.units], [[], []])
  })

  it('X5: a partition that is lost during the search is left as it is', async () => {
    const refusal: Refusal = (_, records) => (records.some(isBad) ? 'INVALID_RECORD' : undefined)
    const { clock, brokers, instance, flow, work } = await setUp(refusal, new Set([2]))
    instance.outbox.advance(flow)
    const release = brokers.hold('abort')
    await clock.settle()
    instance.lose(flow)
    release()
    await clock.advance(1_000)
    assert.deepEqual([[...brokers.logs], instance.units, instance.fatal, work.hasFailures], [[], [], [], false])
  })
})
