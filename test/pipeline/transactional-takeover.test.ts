import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import { createManualClock } from '../../src/testing/index.ts'
import { outboxInstance } from '../support/outbox-instance.ts'
import { lost, recordingTransactions } from '../support/recording-transactions.ts'
import { done, IN, transactionalFlow } from '../support/transactional-flow.ts'
import { flowOf } from '../support/work-blocks.ts'

describe('a partition whose transaction is lost', () => {
  for (const point of ['send', 'offsets', 'commit', 'committed'] as const)
    it(`X7: lost at ${point}: given up, taken again behind a fence, nothing twice and nothing missing`, async () => {
      const { clock, brokers, flow, instance, outbox, written, committed } = await transactionalFlow()
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
    const { clock, brokers, instance, outbox } = await transactionalFlow()
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

  it('X7: one that somebody else had in between is taken at once when it is lost again', async () => {
    const { clock, brokers, flow, instance, outbox } = await transactionalFlow()
    const lose = async (own: typeof flow) => {
      brokers.failNext('send', lost())
      done(own, 0)
      outbox.advance(own)
      await clock.settle()
    }
    await lose(flow)
    await instance.assigned(IN)
    instance.lose(flowOf())
    await instance.assigned(IN)
    await lose(flowOf())
    assert.equal(instance.restarts.length, 2)
  })

  it('X7: a zombie whose id was taken over commits nothing, and asks for its partitions anew', async () => {
    const { clock, brokers, flow, instance, outbox, written } = await transactionalFlow()
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
})
