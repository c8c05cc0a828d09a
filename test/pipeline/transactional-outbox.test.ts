import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import type { PartitionFlow } from '../../src/pipeline/partition-flow.ts'
import type { TransactionalOutboxOptions } from '../../src/pipeline/transactional-outbox.ts'
import { createManualClock } from '../../src/testing/index.ts'
import { outboxInstance } from '../support/outbox-instance.ts'
import { lost, recordingTransactions } from '../support/recording-transactions.ts'
import { blockOf, flowOf, putOutput, sourceRecord, workOf } from '../support/work-blocks.ts'

const IN = { topic: 'in', partition: 0 }

async function setUp(change: Partial<TransactionalOutboxOptions> = {}, brokers = recordingTransactions()) {
  const clock = createManualClock()
  const instance = outboxInstance(clock, brokers, change)
  await instance.assigned(IN)
  const flow = flowOf()
  return { clock, brokers, instance, flow, outbox: instance.outbox, ...over(brokers) }
}

function over(brokers: ReturnType<typeof recordingTransactions>) {
  return {
    written: (place = 'out/0') => (brokers.logs.get(place) ?? []).map(({ value }) => String(value)),
    committed: () => brokers.offsets.get('app in/0'),
    commits: () => brokers.calls.filter(call => call.startsWith('commit')).length,
  }
}

/** One more block of rows that are done, one output each. */
function done(flow: PartitionFlow, offset: number, rows = 1): void {
  const work = pending(flow, offset, rows)
  for (let row = 0; row < rows; row++) finish(work, row)
}

function pending(flow: PartitionFlow, offset: number, rows: number) {
  const records = Array.from({ length: rows }, (_, i) => sourceRecord(offset + i))
  flow.rows += rows
  return workOf(blockOf(records), flow, 2)
}

function finish(work: ReturnType<typeof pending>, row: number): void {
  putOutput(work, 0, row, Buffer.from(`output ${work.block.offset(row)}`))
  work.complete(row)
}

describe('the transactional outbox', () => {
  it('X1, X2: outputs and the offset behind them are seen together, and acknowledged only then', async () => {
    const { clock, brokers, instance, flow, outbox, written, committed } = await setUp()
    const release = brokers.hold('commit')
    done(flow, 0, 3)
    outbox.advance(flow)
    await clock.settle()
    assert.deepEqual([written(), committed(), instance.units.length], [[], undefined, 0])
    assert.deepEqual([brokers.open, instance.underWay], [['app-in-0'], 1])
    release()
    await clock.settle()
    assert.deepEqual(written(), ['output 0', 'output 1', 'output 2'])
    assert.deepEqual([committed(), instance.units.map(({ rows }) => rows)], [3, [3]])
    assert.deepEqual([instance.ends, instance.underWay], [['in committed'], 0])
  })

  it('X2: acknowledges nothing of a partition that is lost while the broker commits', async () => {
    const { clock, brokers, instance, flow, outbox } = await setUp()
    const release = brokers.hold('commit')
    done(flow, 0)
    outbox.advance(flow)
    await clock.settle()
    instance.lose(flow)
    release()
    await clock.settle()
    assert.deepEqual([instance.units, instance.fatal], [[], []])
  })

  it('X3: has one transaction of a partition open; what is done meanwhile goes with the next', async () => {
    const { clock, brokers, flow, outbox, written, commits, instance } = await setUp()
    const release = brokers.hold('send')
    done(flow, 0)
    outbox.advance(flow)
    await clock.settle()
    done(flow, 1)
    done(flow, 2)
    outbox.advance(flow)
    await clock.settle()
    release()
    await clock.advance(1_000)
    assert.deepEqual(written(), ['output 0', 'output 1', 'output 2'])
    assert.equal(commits(), 2)
    assert.deepEqual(
      instance.units.map(({ nextOffset }) => nextOffset),
      [1, 3],
    )
  })

  it('X4: the first begins at once, each further one commitIntervalMs after the end of the one before', async () => {
    const { clock, brokers, flow, outbox, written, commits } = await setUp()
    done(flow, 0)
    outbox.advance(flow)
    await clock.settle()
    assert.equal(commits(), 1, 'nothing to wait for')
    for (const offset of [1, 2, 3]) {
      done(flow, offset)
      outbox.advance(flow)
    }
    await clock.advance(99)
    assert.equal(commits(), 1)
    const release = brokers.hold('commit')
    await clock.advance(51)
    done(flow, 4)
    outbox.advance(flow)
    release()
    await clock.settle()
    assert.deepEqual([commits(), written().length], [2, 4])
    await clock.advance(99)
    assert.equal(commits(), 2)
    await clock.advance(1)
    assert.deepEqual([commits(), written().length], [3, 5])
    await clock.advance(100)
    assert.equal(clock.nextTimerMs(), undefined, 'an idle partition sets no timer')
  })

  it('X4: partitions that rest share one timer, and each begins in its own time', async () => {
    const { clock, brokers, flow, instance, outbox, commits } = await setUp()
    await instance.assigned({ topic: 'in', partition: 1 })
    const other = flowOf('in', 1)
    done(flow, 0)
    outbox.advance(flow)
    await clock.advance(40)
    const work = workOf(blockOf([sourceRecord(0)], { partition: 1 }), other, 2)
    work.complete(0)
    outbox.advance(other)
    await clock.settle()
    done(flow, 1)
    outbox.advance(flow)
    workOf(blockOf([sourceRecord(1)], { partition: 1 }), other, 2).complete(0)
    outbox.advance(other)
    await clock.advance(59)
    assert.equal(commits(), 2)
    await clock.advance(1)
    assert.deepEqual([commits(), brokers.offsets.get('app in/0')], [3, 2])
    await clock.advance(40)
    assert.deepEqual([commits(), brokers.offsets.get('app in/1')], [4, 2])
  })

  it('X4: does not wait when a drain does, nor when credits are short and half of the rows are ready', async () => {
    const { clock, flow, instance, outbox, commits } = await setUp()
    done(flow, 0)
    outbox.advance(flow)
    await clock.settle()
    done(flow, 1)
    instance.isDraining = true
    outbox.advance(flow)
    await clock.settle()
    assert.equal(commits(), 2, 'the drain')
    instance.isDraining = false
    flow.paused = true
    const work = pending(flow, 2, 4)
    finish(work, 0)
    outbox.advance(flow)
    await clock.settle()
    assert.equal(commits(), 2, 'one of four')
    finish(work, 1)
    outbox.advance(flow)
    await clock.settle()
    assert.equal(commits(), 3, 'two of four')
  })

  it('a transaction carries all that is ready, in several units when that is much, and no more than fits', async () => {
    const { clock, flow, outbox, commits, instance, brokers } = await setUp()
    const MANY = 60
    for (let offset = 0; offset < MANY; offset++) {
      const work = pending(flow, offset, 1)
      putOutput(work, 0, 0, Buffer.alloc(95_000, offset))
      work.complete(0)
    }
    outbox.advance(flow)
    await clock.advance(1_000)
    assert.equal(brokers.logs.get('out/0')!.length, MANY)
    assert.equal(commits(), 2, '60 × 95 kB in transactions of about 4 MiB')
    const [first] = instance.units
    assert.ok(first!.rows >= 44 && first!.rows <= 46, `${first!.rows} rows`)
  })

  it('a block without records, and one whose rows were all dropped, move the offset', async () => {
    const { clock, flow, outbox, committed, commits, written } = await setUp()
    workOf({ ...blockOf([], { startOffset: 0 }), nextOffset: 4 }, flow, 2)
    outbox.advance(flow)
    await clock.settle()
    assert.deepEqual([committed(), commits(), flow.blocks.length], [4, 1, 0])
    const dropped = pending(flow, 4, 3)
    for (const row of [0, 1, 2]) dropped.complete(row)
    outbox.advance(flow)
    await clock.advance(100)
    assert.deepEqual([committed(), commits(), flow.blocks.length, written()], [7, 2, 0, []])
  })

  it('X6: sends and commits nothing while the member may be expelled, and goes on when it is heard of', async () => {
    const { clock, brokers, flow, instance, outbox, written, committed } = await setUp()
    instance.isAlive = false
    done(flow, 0)
    outbox.advance(flow)
    await clock.advance(10_000)
    assert.deepEqual(brokers.calls, ['fence app-in-0'])
    instance.isAlive = true
    const release = brokers.hold('offsets')
    await clock.advance(100)
    instance.isAlive = false
    release()
    await clock.advance(10_000)
    assert.deepEqual([written(), committed()], [[], undefined], 'the commit waits as well')
    instance.isAlive = true
    await clock.advance(100)
    assert.deepEqual([written(), committed()], [['output 0'], 1])
  })

  it('X6: of a partition that is lost while it waits nothing is sent; what is open is left to the next owner', async () => {
    const { clock, brokers, flow, instance, outbox, written } = await setUp()
    const release = brokers.hold('send')
    done(flow, 0)
    outbox.advance(flow)
    await clock.settle()
    instance.lose(flow)
    release()
    await clock.advance(1_000)
    assert.deepEqual([written(), instance.ends, instance.fatal], [[], ['in lost'], []])
    assert.equal(clock.nextTimerMs(), undefined)
    const next = outboxInstance(clock, brokers)
    assert.equal(await next.assigned(IN), 0)
    assert.deepEqual(brokers.open, [])
  })

  for (const point of ['send', 'offsets', 'commit', 'committed'] as const)
    it(`X7: lost at ${point}: given up, taken again behind a fence, nothing twice and nothing missing`, async () => {
      const { clock, brokers, flow, instance, outbox, written, committed } = await setUp()
      brokers.failNext(point, lost())
      done(flow, 0, 2)
      outbox.advance(flow)
      await clock.settle()
      assert.deepEqual(instance.restarts, [flow])
      assert.ok(instance.problems.has('transactions: TRANSACTION_LOST'))
      assert.equal(instance.units.length, 0)
      const position = await instance.assigned(IN)
      assert.equal(position, point === 'committed' ? 2 : 0)
      assert.equal(instance.problems.size, 0)
      const again = flowOf('in', 0, position)
      done(again, position, 3 - position)
      outbox.advance(again)
      await clock.settle()
      assert.deepEqual([written(), committed()], [['output 0', 'output 1', 'output 2'], 3])
    })

  it('X7: one that is lost again, with nothing committed in between, is taken later each time', async () => {
    const { clock, brokers, instance, outbox } = await setUp()
    const delays: number[] = []
    for (let round = 0; round < 4; round++) {
      const flow = flowOf()
      if (round > 0) await instance.assigned(IN)
      brokers.failNext('send', lost())
      done(flow, 0)
      outbox.advance(flow)
      await clock.settle()
      delays.push(instance.restarts.length > round ? 0 : clock.nextTimerMs()!)
      await clock.advance(10_000)
      assert.equal(instance.restarts.length, round + 1)
    }
    assert.deepEqual(delays, [0, 100, 200, 400])
  })

  it('X7: a zombie whose id was taken over commits nothing, and asks for its partitions anew', async () => {
    const { clock, brokers, flow, instance, outbox, written } = await setUp()
    const release = brokers.hold('commit')
    done(flow, 0)
    outbox.advance(flow)
    await clock.settle()
    const next = outboxInstance(clock, brokers)
    assert.equal(await next.assigned(IN), 0)
    release()
    await clock.settle()
    assert.deepEqual([instance.ends, instance.restarts, written()], [['in fenced'], [flow], []])
    const theirs = flowOf()
    done(theirs, 0)
    next.outbox.advance(theirs)
    await clock.settle()
    assert.deepEqual(written(), ['output 0'])
  })

  it('fences all partitions at once; when one fails all are fenced again, and what is final is told first', async () => {
    const brokers = recordingTransactions()
    const instance = outboxInstance(createManualClock(), brokers)
    const all = [0, 1, 2].map(partition => ({ topic: 'in', partition }))
    brokers.failNext('fence', new RunInferenceError('BROKER_UNAVAILABLE', 'for now'))
    await assert.rejects(instance.outbox.beforeAssigned(all), /BROKER_UNAVAILABLE/)
    await instance.outbox.beforeAssigned(all)
    assert.deepEqual(brokers.calls.filter(call => call === 'fence app-in-0').length, 1)
    assert.deepEqual(brokers.calls.filter(call => call === 'fence app-in-2').length, 2)
    brokers.failNext('fence', new RunInferenceError('AUTHORISATION', 'no right'))
    await assert.rejects(instance.outbox.beforeAssigned(all), /AUTHORISATION/)
  })

  it('tells what is final, and an error of ours behind a commit', async () => {
    const refused = await setUp()
    refused.brokers.failNext('send', new RunInferenceError('AUTHORISATION', 'no right'))
    done(refused.flow, 0)
    refused.outbox.advance(refused.flow)
    await refused.clock.settle()
    assert.match(String(refused.instance.fatal[0]), /AUTHORISATION/)
    const broken = await setUp({
      onAcknowledged() {
        throw new TypeError('a bug')
      },
    })
    done(broken.flow, 0)
    broken.outbox.advance(broken.flow)
    await broken.clock.settle()
    assert.ok(broken.instance.fatal[0] instanceof TypeError)
  })

  it('after close sends nothing, acknowledges nothing, and waits for nobody', async () => {
    const { clock, brokers, flow, instance, outbox, written } = await setUp()
    const release = brokers.hold('send')
    done(flow, 0)
    outbox.advance(flow)
    await clock.settle()
    await outbox.close()
    release()
    await clock.advance(1_000)
    done(flow, 1)
    outbox.advance(flow)
    await clock.advance(1_000)
    assert.deepEqual([written(), instance.units, instance.fatal], [[], [], []])
    assert.equal(clock.nextTimerMs(), undefined)
  })
})
