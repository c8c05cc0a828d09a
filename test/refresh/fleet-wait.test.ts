import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { SlotFleet } from '../../src/refresh/fleet-status.ts'
import { awaitedInstances, type WaitedFleet, waitForFleet } from '../../src/refresh/fleet-wait.ts'
import type { ModelStatus, SlotStatus } from '../../src/refresh/status-record.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'

const OFFSET = 10
const MODEL = { slot: 's', offset: OFFSET, isTrial: false }

function status(state: ModelStatus['state'], metadataOffset = OFFSET, rest: Partial<SlotStatus> = {}): SlotStatus {
  return { slot: 's', revision: 1, metadataOffset, state, since: '', positions: {}, ...rest }
}

function fleet(byInstance: Readonly<Record<string, SlotStatus>>, silent: readonly string[] = []): WaitedFleet {
  const instances = Object.entries(byInstance).map(([instance, each]): SlotFleet['instances'][number] => ({
    instance,
    status: each,
    progress: 'current',
  }))
  return { silent, slots: [{ slot: 's', published: undefined, instances }] }
}

/** The fleet as it is at each look; the last one stays. Every look is a second after the one before. */
async function waited(looks: readonly WaitedFleet[], { isTrial = false, budgetMs = 60_000 } = {}) {
  const clock = createManualClock()
  const told: string[] = []
  let at = 0
  const waiting = waitForFleet(
    { ...MODEL, isTrial },
    {
      clock,
      budgetMs,
      pauseMs: 1_000,
      look: async () => looks[Math.min(at++, looks.length - 1)]!,
      onChange: ({ instance, state }) => told.push(`${instance} ${state}`),
    },
  )
  let isOver = false
  const ended = waiting.finally(() => {
    isOver = true
  })
  for (await clock.settle(); !isOver; ) await clock.advance(1_000)
  return { ...(await ended), told, looks: at }
}

describe('waiting for the fleet', () => {
  test('ends when every member runs the record, and each change is told once', async () => {
    const { outcome, told, seconds } = await waited([
      fleet({ a: status('current', 3), b: status('current', 3) }),
      fleet({ a: status('loading'), b: status('current', 3) }),
      fleet({ a: status('loading'), b: status('current', 3) }),
      fleet({ a: status('current'), b: status('loading') }),
      fleet({ a: status('current'), b: status('current') }),
    ])
    assert.equal(outcome, 'current')
    assert.deepEqual(told, ['a behind', 'b behind', 'a loading', 'a current', 'b loading', 'b current'])
    assert.equal(seconds, 4)
  })

  test('one that failed is a failure, told when no other is on its way', async () => {
    const { outcome, instances, looks } = await waited([
      fleet({ a: status('failed', OFFSET, { reason: 'bad file' }), b: status('loading') }),
      fleet({ a: status('failed', OFFSET, { reason: 'bad file' }), b: status('current') }),
    ])
    assert.equal(outcome, 'failed')
    assert.equal(looks, 2)
    assert.deepEqual(instances[0], { instance: 'a', state: 'failed', reason: 'bad file' })
  })

  test('what is not there in time is late; without members, nobody was there', async () => {
    const late = await waited([fleet({ a: status('loading', OFFSET, { reason: 'still fetching' }) })], {
      budgetMs: 3_000,
    })
    assert.deepEqual([late.outcome, late.seconds, late.instances[0]!.reason], ['late', 3, 'still fetching'])
    assert.equal((await waited([fleet({})], { budgetMs: 3_000 })).outcome, 'nobody')
    const silent = await waited([fleet({ a: status('current') }, ['member-7'])], { budgetMs: 3_000 })
    assert.deepEqual([silent.outcome, silent.silent], ['late', ['member-7']])
  })

  test('an instance that leaves is not waited for any more', async () => {
    const { outcome } = await waited([
      fleet({ a: status('current'), b: status('loading') }),
      fleet({ a: status('current') }),
    ])
    assert.equal(outcome, 'current')
  })

  test('a later record ends it: nobody will run this one', async () => {
    const { outcome } = await waited([fleet({ a: status('loading', OFFSET + 1), b: status('loading') })])
    assert.equal(outcome, 'overtaken')
  })

  test('of a trial it is the candidate that has to run', async () => {
    const candidate = (state: ModelStatus['state']) => ({ candidate: status(state) as ModelStatus })
    const { outcome, told } = await waited(
      [
        fleet({ a: status('current', 3) }),
        fleet({ a: status('current', OFFSET, candidate('loading')) }),
        fleet({ a: status('current', OFFSET, candidate('failed')) }),
      ],
      { isTrial: true },
    )
    assert.equal(outcome, 'failed')
    assert.deepEqual(told, ['a behind', 'a loading', 'a failed'])
    // The trial is over, as a record that came later says.
    const ended = fleet({ a: status('current', OFFSET + 1) })
    assert.equal(awaitedInstances({ ...MODEL, isTrial: true }, ended)[0]!.state, 'overtaken')
  })
})
