// Replays that the page asks for, on a broker in memory: a dry run writes nothing, they go on by themselves, and end with the console.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { replayLook, withOwn } from '../../src/console/replay-views.ts'
import { runningReplays } from '../../src/console/running-replays.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { keysOf, numbered, REPLAY, replayWorld } from '../support/replay-world.ts'

const { signal } = new AbortController()

async function consoleOf(letters: number) {
  const world = await replayWorld(numbered(letters))
  const parts = {
    ...{ ...world.parts(), logger: silentLogger, registry: undefined, readSchema: async () => '', version: '0' },
    guarantee: 'at_least_once' as const,
  }
  return { world, parts, replays: runningReplays(parts) }
}

describe('replays of the console', () => {
  it('are planned without a trace, and refused while nobody would read them', async () => {
    const { world, replays } = await consoleOf(4)
    const plan = await world.over(replays.plan({ selection: { key: ['k1', 'k2'] } }, signal))
    assert.equal(plan.selected, 2)
    assert.match(plan.refusal!, /no member of group shop/)
    await assert.rejects(world.over(replays.start({ selection: {}, name: 'night' })), { code: 'REPLAY_REFUSED' })
    assert.deepEqual([replays.views(), await world.audit(), await world.written(REPLAY)], [[], [], []])
  })

  it('are told of while they run and when they are over, by the audit too', async () => {
    const { world, parts, replays } = await consoleOf(6)
    await world.instance()
    const begun = await world.over(replays.start({ selection: {}, name: 'night', reason: 'v3', rate: 2 }))
    assert.deepEqual([begun.name, begun.by, begun.state, begun.reason], ['night', 'anna@shop', 'running', 'v3'])
    await assert.rejects(world.over(replays.start({ selection: {}, name: 'night' })), { code: 'REPLAY_REFUSED' })
    await world.clock.advance(60_000)
    const [own] = replays.views()
    assert.deepEqual([own!.state, own!.replayed, own!.progress], ['finished', 6, 1])
    const told = await world.over(replayLook(parts)(signal))
    assert.deepEqual(told, [{ ...own!, startedAt: told[0]!.startedAt }])
    assert.deepEqual(withOwn(told, replays.views()), [own])
    assert.equal((await world.written(REPLAY)).length, 6)
  })

  it('take what is open alone, where the page asks for that', async () => {
    const { world, replays } = await consoleOf(6)
    await world.instance()
    await world.run({ name: 'first', selection: { keys: ['k0', 'k1'] } })
    const plan = async (open: boolean) => world.over(replays.plan({ selection: { open } }, signal))
    assert.deepEqual([(await plan(true)).selected, (await plan(false)).selected], [4, 6])
    await world.over(replays.start({ selection: { open: true }, name: 'night' }))
    await world.clock.advance(60_000)
    assert.equal(replays.views()[0]!.replayed, 4)
  })

  it('are cancelled by name, for good', async () => {
    const { world, replays } = await consoleOf(9)
    await world.instance()
    await world.over(replays.start({ selection: {}, name: 'night', rate: 1 }))
    await assert.rejects(world.over(replays.cancel('other')), { code: 'REPLAY_REFUSED' })
    await world.over(replays.cancel('night'))
    assert.equal(replays.views()[0]!.state, 'cancelled')
    assert.equal((await world.audit()).at(-1)!.kind, 'cancelled')
    assert.ok((await world.written(REPLAY)).length < 9)
  })

  it('are cancelled by whoever has the token, also those of another process that the page shows as running', async () => {
    const { world, parts, replays } = await consoleOf(9)
    await world.instance()
    const elsewhere = world.start({ name: 'night' }, { rate: 1 })
    elsewhere.catch(() => {})
    await world.clock.advance(3_000)
    assert.equal((await world.over(replayLook(parts)(signal)))[0]!.state, 'running')
    await world.over(replays.cancel('night'))
    await assert.rejects(world.over(elsewhere), { code: 'TRANSACTION_FENCED' })
    assert.equal((await world.over(replayLook(parts)(signal)))[0]!.state, 'cancelled')
    assert.ok((await world.written(REPLAY)).length < 9)
    await assert.rejects(world.over(replays.cancel('night')), { code: 'REPLAY_REFUSED' })
  })

  it('give way to what the process has to do while they are planned', async () => {
    const { world, parts } = await consoleOf(6)
    let waits = 0
    const giveWay = async () => {
      waits++
    }
    await world.over(runningReplays({ ...parts, giveWay }).plan({ selection: {} }, signal))
    assert.equal(waits, 3, 'a block of each partition')
  })

  it('stop with the console so that they can be taken up again', async () => {
    const { world, replays } = await consoleOf(9)
    await world.instance()
    await world.over(replays.start({ selection: {}, name: 'night', rate: 1 }))
    await world.over(replays.close())
    assert.equal((await world.audit()).at(-1)!.kind, 'stopped')
    await assert.rejects(replays.start({ selection: {} }), { code: 'CLOSED' })
    await world.run({ name: 'night' })
    assert.deepEqual(keysOf(await world.written(REPLAY)), keysOf(numbered(9).map(({ key }) => ({ key: String(key) }))))
  })

  it('run two at a time', async () => {
    const { world, replays } = await consoleOf(9)
    await world.instance()
    for (const name of ['k1', 'k2']) await world.over(replays.start({ selection: { key: [name] }, name, rate: 1 }))
    await assert.rejects(world.over(replays.start({ selection: {}, name: 'c' })), { code: 'CONSOLE_BUSY' })
    await world.over(replays.close())
  })
})
