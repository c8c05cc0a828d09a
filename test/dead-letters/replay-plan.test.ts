// What a replay would do, and why it would be refused, on a broker in memory.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ReplayWish } from '../../src/dead-letters/replay-order.ts'
import type { ReplayParts } from '../../src/dead-letters/replay-parts.ts'
import { planReplay } from '../../src/dead-letters/replay-plan.ts'
import { targetRefusal } from '../../src/dead-letters/replay-targets.ts'
import { from, topology } from '../../src/index.ts'
import { classifier, strings } from '../support/digit-topology.ts'
import { AUDIT, keysOf, LETTERS, numbered, PARKED, REPLAY, replayWorld } from '../support/replay-world.ts'

type World = Awaited<ReturnType<typeof replayWorld>>

const planIn = (world: World, wish: Partial<ReplayWish> = {}, given: Partial<ReplayParts> = {}) =>
  world.over(planReplay(world.parts(given), { name: 'night', ...wish }))
const refused = (message: RegExp) => ({ code: 'REPLAY_REFUSED', message })

describe('the plan of a replay', () => {
  it('counts by topic, by reason and by what would be left, and writes nothing', async () => {
    const world = await replayWorld([
      ...numbered(4),
      { key: 'too often', facts: { 'replay-count': '3', 'error-message': 'other' } },
      { key: 'foreign', facts: { 'original-topic': 'payments' } },
      { key: 'large', value: null, facts: { 'value-bytes': '3', 'value-sha256': 'ab' } },
      { key: 'not meant', facts: { code: 'KEY_MISSING' } },
    ])
    await world.instance()
    const plan = await planIn(world, { selection: { codes: ['SHAPE_MISMATCH'] } })
    const { seen, selected, replayed, parked, lost, lostBecause, valuesElsewhere, groups, refusal } = plan
    assert.deepEqual(
      { seen, selected, replayed, parked, lost, valuesElsewhere, refusal },
      { seen: 8, selected: 7, replayed: { [REPLAY]: 5 }, parked: 1, lost: 1, valuesElsewhere: 1, refusal: undefined },
    )
    assert.deepEqual(Object.keys(lostBecause), ['it was first read from payments, which the topology does not read'])
    assert.deepEqual(groups.map(({ count }) => count).sort(), [1, 6])
    for (const topic of [REPLAY, PARKED]) assert.deepEqual(await world.written(topic), [])
    assert.deepEqual(await world.audit(), [])
    assert.deepEqual(await world.port.admin.committed('shop.replay.night', LETTERS), [-1, -1, -1])
  })

  it('does what it says: as many go where it counted them', async () => {
    const world = await replayWorld(numbered(9))
    await world.instance()
    const { replayed, parked, lost } = await planIn(world, { selection: { keys: ['k3', 'k4'] } })
    const { counts } = await world.run({ selection: { keys: ['k3', 'k4'] } })
    assert.deepEqual({ replayed: replayed[REPLAY], parked, lost }, counts)
  })

  it('of a run that was stopped is what is left of it', async () => {
    const world = await replayWorld(numbered(9))
    await world.instance()
    await world.run({ reason: 'model v3' }, { limit: 4 })
    const { resumes, replayed, seen } = await planIn(world)
    assert.deepEqual([resumes?.run.reason, resumes?.progress.counts.replayed], ['model v3', 4])
    assert.deepEqual([replayed[REPLAY], seen], [5, 5])
  })

  it('refuses while nobody reads the replay topics that it would write to', async () => {
    const world = await replayWorld(numbered(2))
    const refusal = /no member of group shop reads shop\.orders\.replay: start the application/
    assert.match((await planIn(world)).refusal ?? '', refusal)
    const other = await world.instance(['orders'])
    assert.match((await planIn(world)).refusal ?? '', refusal)
    await other.stop()
    await world.instance()
    assert.equal((await planIn(world)).refusal, undefined)
    assert.equal((await planIn(world, { selection: { keys: ['nobody'] } })).refusal, undefined)
  })

  it('refuses compacted outputs unless that is allowed', async () => {
    const world = await replayWorld(numbered(2), { 'cleanup.policy': 'compact,delete' })
    await world.instance()
    const refusal = /out is compacted: .*--allow-stale/
    assert.match((await planIn(world)).refusal ?? '', refusal)
    await assert.rejects(world.run(), refused(refusal))
    assert.equal((await planIn(world, { allowStale: true })).refusal, undefined)
    assert.equal((await world.run({ allowStale: true })).order.allowStale, true)
  })

  it('asks only outputs below the sources of the steps that are selected, also behind a topic of the topology', async () => {
    const orders = from('orders', strings).runInference('first', classifier).through('between', strings)
    const second = orders.runInference('second', classifier).to('late', strings)
    const bills = from('bills', strings).runInference('third', classifier).to('paid', strings)
    const shop = topology('shop', [second, bills])
    const { parts, port } = await replayWorld([])
    const shape = { partitions: 1, replicationFactor: 1, configs: { 'cleanup.policy': 'compact' } }
    const refusalFor = async (steps: readonly string[] | undefined) =>
      await targetRefusal(
        { ...parts(), topology: shop },
        { target: { kind: 'replay' }, selection: steps === undefined ? {} : { steps } },
      )
    await port.admin.createTopics([{ ...shape, name: 'late' }])
    assert.equal(await refusalFor(['third']), undefined)
    for (const steps of [['first'], ['second'], undefined])
      assert.match((await refusalFor(steps)) ?? '', /^late is comp/)
    await port.admin.createTopics([{ ...shape, name: 'paid' }])
    assert.match((await refusalFor(['third'])) ?? '', /^paid is compacted/)
    assert.match((await refusalFor(undefined)) ?? '', /^(late, paid|paid, late) are compacted/)
  })

  it('to the source writes what was first read, and asks whether that is compacted', async () => {
    const world = await replayWorld([{ key: 'a', carried: [['b', null]] }])
    const target = { kind: 'source' } as const
    // Nobody has to read the replay topic.
    assert.deepEqual((await planIn(world, { target })).replayed, { orders: 1 })
    await world.port.admin.setTopicConfigs('orders', { 'cleanup.policy': 'compact' })
    assert.match((await planIn(world, { target })).refusal ?? '', /orders is compacted/)
    await world.run({ target, allowStale: true })
    assert.deepEqual(
      (await world.written('orders')).map(({ key, place, headers }) => [key, place, headers]),
      [['a', 'orders/2', ['b']]],
    )
  })

  it('to a topic asks whether that is allowed, and never writes to those of the topology', async () => {
    const world = await replayWorld(numbered(2))
    const to = (topic: string) => ({ target: { kind: 'topic', topic } as const })
    assert.match(
      (await planIn(world, to('elsewhere'))).refusal ?? '',
      /elsewhere is not in the setting replayTargets, which is empty/,
    )
    const allowed = { allowedTopics: ['elsewhere', 'out', LETTERS, REPLAY, PARKED, AUDIT, 'orders', 'gone'] }
    for (const topic of ['out', LETTERS, REPLAY, PARKED, AUDIT, 'orders']) {
      assert.match((await planIn(world, to(topic), allowed)).refusal ?? '', /is a topic of this topology/, topic)
      await assert.rejects(world.run(to(topic), {}, allowed), refused(/is a topic of this topology/))
    }
    await assert.rejects(planIn(world, to('gone'), allowed), { code: 'TOPIC_MISSING' })
    await world.run({ ...to('elsewhere'), setHeaders: { why: 'again' } }, {}, allowed)
    assert.deepEqual(keysOf(await world.written('elsewhere')), ['k0', 'k1'])
    assert.deepEqual((await world.written('elsewhere'))[0]!.headers, ['why'])
  })

  it('refuses names and headers that would be something else, or say something that is not so', async () => {
    const world = await replayWorld(numbered(1))
    await world.instance()
    for (const name of ['', 'a/b', 'a b', '../x', 'a\nb', 'ü', 'x'.repeat(101), '__proto__ '])
      await assert.rejects(planIn(world, { name }), refused(/cannot name a run/), name)
    for (const header of ['', 'a\nb', 'a\u0000', 'a\u007fb', 'a\u0085', 'a\u202eb', '\ud800', 'x'.repeat(250)])
      await assert.rejects(
        planIn(world, { setHeaders: { [header]: 'x' } }),
        refused(/cannot be set: expected a name/),
        header,
      )
    for (const header of ['kri-step', 'KRI-Replay-Count', 'kri-'])
      await assert.rejects(world.run({ setHeaders: { [header]: null } }), refused(/nobody's to set/))
    await assert.rejects(planIn(world, { setHeaders: { a: '\ud800' } }), refused(/UTF-8/))
    assert.deepEqual(await world.audit(), [])
  })

  it('is refused without an audit topic: nobody could tell what was done', async () => {
    const world = await replayWorld(numbered(1))
    await world.instance()
    await world.port.admin.deleteTopics([AUDIT])
    await assert.rejects(planIn(world), {
      code: 'TOPIC_MISSING',
      message: /shop\.audit does not exist.*kri topics apply/,
    })
  })
})
