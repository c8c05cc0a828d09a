// Replays that take only what no run has handled, and what stays open because a run leaves it where it is: R4 and C4.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { deadLetterOf } from '../../src/dead-letters/dead-letter.ts'
import { LostLetters } from '../../src/dead-letters/lost-letters.ts'
import { planReplay } from '../../src/dead-letters/replay-plan.ts'
import { RunInferenceError } from '../../src/errors.ts'
import type { KafkaPort } from '../../src/kafka/port.ts'
import { letterBlock, type TestLetter } from '../support/letter-blocks.ts'
import { sealedBatch } from '../support/record-batches.ts'
import { AUDIT, keysOf, numbered, REPLAY, replayWorld } from '../support/replay-world.ts'

const keys = (from: number, until: number) => Array.from({ length: until - from }, (_, i) => `k${from + i}`)
const VALUE = 'a long one'
const sha256 = createHash('sha256').update(VALUE).digest('hex')
/** Its value was too large to keep, and stands at orders/1/0, if it does. */
const large = (key: string): TestLetter => ({
  ...{ key, value: null },
  facts: { 'value-bytes': '10', 'value-sha256': sha256, 'original-partition': '1', 'original-offset': '0' },
})
const putBack = async (port: KafkaPort) => {
  const record = { timestamp: 1, key: null, value: Buffer.from(VALUE), headers: [] }
  await port.writer().send([sealedBatch([record], 'orders', 1)])
}

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

describe('letters that a replay leaves where they are', () => {
  for (const guarantee of ['exactly_once', 'at_least_once'] as const)
    it(`R4 stay open, and a later run takes them alone when they can be had, ${guarantee}`, async () => {
      const world = await replayWorld([large('l1'), ...numbered(5), large('l2'), ...numbered(3)])
      await world.instance()
      const { end, counts } = await world.run({ name: 'first', guarantee })
      assert.deepEqual([end, counts], ['finished', { replayed: 8, parked: 0, lost: 2 }])
      const lost = (await world.audit()).filter(each => each.kind === 'lost')
      assert.deepEqual(
        lost.map(({ run, by, count, why }) => [run, by, count, /orders\/1\/0 is not there any more/.test(why)]),
        [['first', 'anna@shop', 2, true]],
      )
      const plan = await world.over(planReplay(world.parts(), { name: 'night', onlyOpen: true }))
      assert.equal(plan.selected, 2)
      await putBack(world.port)
      assert.equal((await world.run({ name: 'second', onlyOpen: true, guarantee })).counts.replayed, 2)
      assert.deepEqual(
        keysOf(await world.written(REPLAY)).filter(key => key.startsWith('l')),
        ['l1', 'l2'],
      )
      assert.equal((await world.run({ name: 'third', onlyOpen: true })).counts.replayed, 0)
    })

  it('R4 are told of once, and all of them, whatever answers are lost', async () => {
    const letters = Array.from({ length: 12 }, (_, i) => (i % 4 < 2 ? large(`l${i}`) : { key: `k${i}` }))
    for (const point of ['transactionSend', 'sendOffsets', 'endTransaction'] as const) {
      const { broker, run, instance, audit } = await replayWorld(letters)
      await instance()
      let faults = 0
      const onProgress = () => {
        if (faults++ < 3) broker.failNext(point, new RunInferenceError('TRANSACTION_LOST', 'says the test'))
      }
      assert.deepEqual((await run({}, { rate: 4, onProgress })).counts, { replayed: 6, parked: 0, lost: 6 })
      const told = (await audit()).flatMap(each => (each.kind === 'lost' ? [each.count] : []))
      assert.equal(
        told.reduce((sum, count) => sum + count),
        6,
        point,
      )
    }
  })

  it('are not left for a right that is missing: the run ends, says so, and has handled nothing of them', async () => {
    const { port, run, instance, audit, written, over, parts } = await replayWorld([...numbered(2), large('l1')])
    await instance()
    await putBack(port)
    for (const refusing of ['scan', 'offsets'] as const) {
      const error = new RunInferenceError('AUTHORISATION', 'may not read orders')
      const forbidden: KafkaPort = {
        ...port,
        admin: {
          ...port.admin,
          offsets: (topic, end) =>
            refusing === 'offsets' && topic === 'orders' ? Promise.reject(error) : port.admin.offsets(topic, end),
        },
        scan(ranges, options) {
          if (refusing === 'scan' && ranges.some(({ topic }) => topic === 'orders')) throw error
          return port.scan(ranges, options)
        },
      }
      await assert.rejects(run({}, {}, { port: forbidden }), { code: 'AUTHORISATION' })
      const stopped = (await audit()).at(-1)!
      assert.ok(stopped.kind === 'stopped' && /may not read orders/.test(stopped.problem ?? ''))
      assert.equal(stopped.counts.lost, 0)
    }
    const plan = await over(planReplay(parts(), { name: 'other', onlyOpen: true }))
    assert.equal(plan.selected, 3)
    assert.deepEqual((await run()).counts, { replayed: 3, parked: 0, lost: 0 })
    assert.deepEqual(keysOf(await written(REPLAY)), ['k0', 'k1', 'l1'])
  })
})

describe('spans of lost letters', () => {
  const block = letterBlock(Array.from({ length: 40 }, () => ({})))
  const letters = Array.from({ length: 40 }, (_, row) => ({ ...deadLetterOf(block, row) }))

  it('have of what was selected those that are lost, and no other, in as few spans as there can be', () => {
    const kind = fc.constantFrom('lost', 'written', 'not selected')
    fc.assert(
      fc.property(fc.array(kind, { maxLength: 40 }), kinds => {
        const lost = new LostLetters()
        for (const [i, each] of kinds.entries())
          if (each === 'lost') lost.add(letters[i]!, `reason ${i}`)
          else if (each === 'written') lost.end(letters[i]!)
        const told = lost.told()
        const wanted = kinds.flatMap((each, i) => (each === 'lost' ? [i] : []))
        if (wanted.length === 0) return assert.equal(told, undefined)
        const [{ spans }, ...more] = told!.letters as [(typeof told & object)['letters'][number]]
        const found = kinds.flatMap((each, i) =>
          each !== 'not selected' && spans.some(([from, until]) => i >= from && i < until) ? [i] : [],
        )
        assert.deepEqual([found, more, told!.count, told!.why], [wanted, [], wanted.length, `reason ${wanted[0]}`])
        const selected = kinds.filter(each => each !== 'not selected')
        const runs = selected.filter((each, i) => each === 'lost' && selected[i - 1] !== 'lost').length
        assert.equal(spans.length, runs)
      }),
    )
  })
})
