// Replays that take only what no run has handled.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { planReplay } from '../../src/dead-letters/replay-plan.ts'
import { sealedBatch } from '../support/record-batches.ts'
import { AUDIT, keysOf, numbered, REPLAY, replayWorld } from '../support/replay-world.ts'

const keys = (from: number, until: number) => Array.from({ length: until - from }, (_, i) => `k${from + i}`)

describe('a replay of what is open', () => {
  it('leaves out what another run has handled, in its plan and when it runs', async () => {
    const world = await replayWorld(numbered(9))
    await world.instance()
    await world.run({ name: 'first', selection: { keys: keys(0, 4) } })
    const plan = await world.over(planReplay(world.parts(), { name: 'night', onlyOpen: true }))
    assert.deepEqual([plan.selected, plan.replayed], [5, { [REPLAY]: 5 }])
    const { counts, order } = await world.run({ onlyOpen: true })
    assert.deepEqual([counts.replayed, order.onlyOpen], [5, true])
    assert.deepEqual(keysOf(await world.written(REPLAY)), keys(0, 9))
    const again = await world.run({ name: 'again', onlyOpen: true })
    assert.equal(again.counts.replayed, 0)
  })

  it('is what the plan of a replay of all tells of: how many of them another run has handled', async () => {
    const world = await replayWorld(numbered(9))
    await world.instance()
    const plan = async (wish: object) => {
      const { selected, handledBefore } = await world.over(planReplay(world.parts(), { name: 'night', ...wish }))
      return [selected, handledBefore]
    }
    assert.deepEqual(await plan({}), [9, 0])
    await world.run({ name: 'first', selection: { keys: keys(0, 4) } })
    assert.deepEqual(await plan({}), [9, 4])
    assert.deepEqual(await plan({ selection: { keys: keys(3, 6) } }), [3, 1])
    assert.deepEqual(await plan({ onlyOpen: true }), [5, 0])
    // What a run itself has done is behind it.
    await world.run({}, { limit: 2 })
    assert.deepEqual((await plan({}))[0], 7)
  })

  it('tells what it cannot read of the audit, in its plan and when it runs: those letters are written again', async () => {
    const world = await replayWorld(numbered(3))
    await world.instance()
    const bad = { timestamp: 1, key: Buffer.from('first'), value: Buffer.from('{}'), headers: [] }
    await world.port.writer().send([sealedBatch([bad], AUDIT)])
    const told: string[] = []
    const onUnreadable = ({ code }: { readonly code: string }) => told.push(code)
    await world.over(planReplay(world.parts(), { name: 'night', onlyOpen: true }, { onUnreadable }))
    await world.run({ onlyOpen: true }, { onUnreadable })
    assert.deepEqual(told, ['AUDIT_INVALID', 'AUDIT_INVALID'])
  })

  it('goes on as it began, and leaves out what was handled while it was stopped', async () => {
    const world = await replayWorld(numbered(9))
    await world.instance()
    const stopped = await world.run({ onlyOpen: true }, { limit: 3 })
    assert.equal(stopped.end, 'stopped')
    await world.run({ name: 'between', selection: { keys: keys(7, 9) } })
    const { isResumed, order } = await world.run()
    assert.deepEqual([isResumed, order.onlyOpen], [true, true])
    assert.deepEqual(keysOf(await world.written(REPLAY)), keys(0, 9))
  })

  it('is another one than a replay of all: its name cannot be taken up with that', async () => {
    const world = await replayWorld(numbered(3))
    await world.instance()
    await world.run({}, { limit: 1 })
    await assert.rejects(world.run({ onlyOpen: true }), { code: 'REPLAY_REFUSED', message: /onlyOpen/ })
  })
})
