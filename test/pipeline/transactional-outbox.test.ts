import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import { outboxInstance } from '../support/outbox-instance.ts'
import { done, finish, IN, pending, transactionalFlow } from '../support/transactional-flow.ts'
import { blockOf, flowOf, putOutput, sourceRecord, workOf } from '../support/work-blocks.ts'

describe('the transactional outbox', () => {
  it('X1, X2: outputs and the offset behind them are seen together, and acknowledged only then', async () => {
    const { clock, brokers, instance, flow, outbox, written, committed } = await transactionalFlow()
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

  for (const point of ['commit', 'committed'] as const)
    it(`X2: acknowledges nothing of a partition that is lost while the broker commits (${point})`, async () => {
      const { clock, brokers, instance, flow, outbox } = await transactionalFlow()
      const release = brokers.hold(point)
      done(flow, 0)
      outbox.advance(flow)
      await clock.settle()
      instance.lose(flow)
      release()
      await clock.settle()
      assert.deepEqual([instance.units, instance.fatal, brokers.closed], [[], [], ['app-in-0']])
    })

  it('X3: has one transaction of a partition open; what is done meanwhile goes with the next', async () => {
    const { clock, brokers, flow, outbox, written, commits, instance } = await transactionalFlow()
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
    const { clock, brokers, flow, outbox, written, commits } = await transactionalFlow()
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
    const { clock, brokers, flow, instance, outbox, commits } = await transactionalFlow()
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
    const { clock, flow, instance, outbox, commits } = await transactionalFlow()
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
    const { clock, flow, outbox, commits, instance, brokers } = await transactionalFlow()
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
    const completed = instance.units.flatMap(({ ranges }) => ranges).filter(({ work, to }) => to === work.block.count)
    assert.equal(completed.length, MANY, 'each block is told to be done once')
  })

  it('T4: the offset goes beside the last outputs, and the commit waits for both', async () => {
    for (const held of ['send', 'offsets'] as const) {
      const { clock, brokers, flow, outbox, written, committed } = await transactionalFlow()
      const release = brokers.hold(held)
      done(flow, 0, 2)
      outbox.advance(flow)
      await clock.settle()
      const other = held === 'send' ? 'offsets app-in-0' : 'send app-in-0'
      assert.deepEqual([brokers.calls.at(-1), written(), committed()], [other, [], undefined])
      release()
      await clock.settle()
      assert.deepEqual([written(), committed()], [['output 0', 'output 1'], 2])
    }
  })

  it('T4: of several units, only the last brings an offset', async () => {
    const { clock, flow, outbox, committed, brokers } = await transactionalFlow()
    for (let offset = 0; offset < 25; offset++) {
      const work = pending(flow, offset, 1)
      putOutput(work, 0, 0, Buffer.alloc(95_000, offset))
      work.complete(0)
    }
    outbox.advance(flow)
    await clock.settle()
    assert.deepEqual([brokers.calls.filter(call => call.startsWith('offsets')).length, committed()], [1, 25])
    assert.ok(brokers.calls.filter(call => call.startsWith('send')).length > 1)
  })

  it('a block without records, and one whose rows were all dropped, move the offset', async () => {
    const { clock, flow, outbox, committed, commits, written } = await transactionalFlow()
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
    const { clock, brokers, flow, instance, outbox, written, committed } = await transactionalFlow()
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
    const { clock, brokers, flow, instance, outbox, written } = await transactionalFlow()
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

  it('tells what is final, and an error of ours behind a commit', async () => {
    const refused = await transactionalFlow()
    refused.brokers.failNext('send', new RunInferenceError('AUTHORISATION', 'no right'))
    done(refused.flow, 0)
    refused.outbox.advance(refused.flow)
    await refused.clock.settle()
    assert.match(String(refused.instance.fatal[0]), /AUTHORISATION/)
    const broken = await transactionalFlow({
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
    const { clock, brokers, flow, instance, outbox, written } = await transactionalFlow()
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
