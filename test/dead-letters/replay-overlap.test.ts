// V1, S4 and K4: of two runs that may take the same letters at one time, one runs.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { deadLetterOf } from '../../src/dead-letters/dead-letter.ts'
import type { ReplayOrder } from '../../src/dead-letters/replay-audit.ts'
import { mayMeet } from '../../src/dead-letters/replay-overlap.ts'
import { planReplay } from '../../src/dead-letters/replay-plan.ts'
import { cancelReplay } from '../../src/dead-letters/replay-start.ts'
import { type OffsetRange, type Selection, selects } from '../../src/dead-letters/selection.ts'
import { RunInferenceError } from '../../src/errors.ts'
import type { KafkaPort } from '../../src/kafka/port.ts'
import { letterBlock } from '../support/letter-blocks.ts'
import { sealedBatch } from '../support/record-batches.ts'
import { AUDIT, keysOf, LETTERS, numbered, REPLAY, replayWorld } from '../support/replay-world.ts'

const BESIDE = {
  code: 'REPLAY_REFUSED',
  message: /run first \(started at .* by anna@shop\) has not ended.*--name first --yes.*--name first --cancel/,
}
const all = (count: number) => keysOf(numbered(count).map(({ key }) => ({ key: String(key) })))

/** Of its first commit the answer is lost. */
function losingFirstCommit(port: KafkaPort): KafkaPort {
  return {
    ...port,
    transactionalWriter(options) {
      const writer = port.transactionalWriter(options)
      const commit = writer.commit.bind(writer)
      let commits = 0
      writer.commit = async () => {
        await commit()
        if (commits++ === 0) throw new RunInferenceError('TRANSACTION_LOST', 'says the test')
      }
      return writer
    },
  }
}

describe('two selections', () => {
  const bounds = { [LETTERS]: [3, 0, 0] }
  const meet = (a: Selection, b: Selection) => mayMeet({ selection: a, bounds }, { selection: b, bounds })

  it('V1 are apart where a condition on the same thing has nothing in common', () => {
    const place = (partition: number, from: number, until: number): OffsetRange => ({
      ...{ of: 'letter', topic: LETTERS, partition, from, until },
    })
    for (const [a, b] of [
      [{ codes: ['A', 'B'] }, { codes: ['C'] }],
      [{ fingerprints: ['a'] }, { fingerprints: ['b'], codes: ['A'] }],
      [{ keys: ['a'] }, { keysHex: ['62'] }],
      [{ failedUntil: 10 }, { failedFrom: 10 }],
      [{ maxReplays: 0 }, { minReplays: 1 }],
      [{ offsets: [place(0, 0, 5), place(1, 0, 9)] }, { offsets: [place(0, 5, 9)] }],
    ] satisfies [Selection, Selection][])
      assert.deepEqual([meet(a, b), meet(b, a)], [false, false], JSON.stringify([a, b]))
    for (const [a, b] of [
      [{}, {}],
      [{ codes: ['A', 'B'] }, { codes: ['B'] }],
      [{ codes: ['A'] }, { keys: ['a'] }],
      [{ keys: ['a'] }, { keysHex: ['61'] }],
      [{ failedUntil: 11 }, { failedFrom: 10 }],
      [{ text: 'a' }, { text: 'b' }],
      [{ offsets: [place(0, 0, 5)] }, { offsets: [place(0, 4, 9)] }],
      [{ offsets: [place(0, 0, 5)] }, { offsets: [{ ...place(0, 5, 9), of: 'original' }] }],
    ] satisfies [Selection, Selection][])
      assert.deepEqual([meet(a, b), meet(b, a)], [true, true], JSON.stringify([a, b]))
  })

  it('V1 are apart where no topic of both has letters', () => {
    const order = (topic: string, ends: readonly number[]): Pick<ReplayOrder, 'selection' | 'bounds'> => ({
      ...{ selection: {}, bounds: { [topic]: ends } },
    })
    assert.equal(mayMeet(order(LETTERS, [3]), order('other', [3])), false)
    assert.equal(mayMeet(order(LETTERS, [3, 0]), order(LETTERS, [0, 3])), false)
    assert.equal(mayMeet(order(LETTERS, [3, 1]), order(LETTERS, [0, 3])), true)
  })

  it('V1 are never said to be apart where a letter is in both', () => {
    const few = fc.array(fc.constantFrom('a', 'b'), { minLength: 1, maxLength: 2 })
    const range: fc.Arbitrary<OffsetRange> = fc.record(
      {
        of: fc.constantFrom('original', 'letter'),
        topic: fc.constantFrom(LETTERS, 'orders'),
        ...{ partition: fc.nat(1), from: fc.nat(3), until: fc.nat(4) },
      },
      { requiredKeys: ['of', 'partition'] },
    )
    const selection: fc.Arbitrary<Selection> = fc.record(
      {
        ...{ codes: few, steps: few, keys: few, keysHex: fc.constantFrom(['61'], ['62']), text: fc.constantFrom('a') },
        ...{ failedFrom: fc.nat(3), failedUntil: fc.nat(3), minReplays: fc.nat(2), maxReplays: fc.nat(2) },
        offsets: fc.array(range, { maxLength: 2 }),
      },
      { requiredKeys: [] },
    )
    const fact = (max: number) => fc.nat(max).map(String)
    const letter = fc.record({
      key: fc.constantFrom('a', 'b'),
      facts: fc.record({
        ...{ code: fc.constantFrom('a', 'b'), step: fc.constantFrom('a', 'b'), 'error-message': fc.constantFrom('a') },
        ...{ 'failed-at': fact(3), 'replay-count': fact(2), 'original-partition': fact(1), 'original-offset': fact(3) },
      }),
    })
    fc.assert(
      fc.property(selection, selection, letter, fc.nat(2), (a, b, each, offset) => {
        const block = letterBlock([each], LETTERS, offset)
        const found = deadLetterOf(block, 0)
        if (selects(a)(found, block, 0) && selects(b)(found, block, 0)) assert.ok(meet(a, b))
      }),
      { numRuns: 500 },
    )
  })
})

describe('a replay beside another one', () => {
  it('S4 is refused while that one runs, and nothing is written; other letters, and what comes behind it, are not', async () => {
    const { start, run, over, instance, written, audit, clock, parts } = await replayWorld(numbered(12))
    await instance()
    const slow = start({ name: 'first', selection: { keys: ['k1', 'k2', 'k3', 'k4', 'k5'] } }, { rate: 1 })
    slow.catch(() => {})
    await clock.advance(1_000)
    await assert.rejects(run({ name: 'second' }), BESIDE)
    assert.match((await over(planReplay(parts(), { name: 'second' }))).refusal!, BESIDE.message)
    assert.deepEqual(
      (await audit()).map(each => each.run),
      ['first'],
    )
    assert.equal((await run({ name: 'other', selection: { keys: ['k7'] } })).counts.replayed, 1)
    assert.equal((await over(slow)).counts.replayed, 5)
    assert.equal((await run({ name: 'second', onlyOpen: true })).counts.replayed, 6)
    assert.deepEqual(keysOf(await written(REPLAY)), all(12))
  })

  it('S4 is refused while one that was killed is neither taken up nor cancelled, and when it is taken up itself', async () => {
    const { run, start, over, instance, parts, clock } = await replayWorld(numbered(6))
    await instance()
    await run({ name: 'second' }, { limit: 1 })
    await assert.rejects(run({ name: 'first' }, { onStarted: () => assert.fail('killed') }))
    await assert.rejects(run({ name: 'second' }), BESIDE)
    await over(cancelReplay(parts(), { name: 'first' }))
    assert.equal((await run({ name: 'second' })).end, 'finished')
    const slow = start({ name: 'third' }, { rate: 1 })
    slow.catch(() => {})
    await clock.advance(1_000)
    assert.equal((await run({ name: 'third' })).end, 'finished', 'its own name is no other one')
    await assert.rejects(over(slow), { code: 'TRANSACTION_FENCED' })
  })

  it('K4 of several that begin at one time one runs, and the others have written nothing', async () => {
    for (const delayMs of [0, 300]) {
      const { broker, start, over, instance, written, audit } = await replayWorld(numbered(9))
      await instance()
      // Starts that are decided, and cannot be read yet.
      broker.delay('markers', delayMs)
      const names = ['first', 'second', 'third']
      const results = await over(Promise.allSettled(names.map(name => start({ name }))))
      const ended = results.flatMap(each => (each.status === 'fulfilled' ? [each.value] : []))
      assert.deepEqual(
        ended.map(({ end, counts }) => [end, counts.replayed]),
        [['finished', 9]],
      )
      for (const each of results) if (each.status === 'rejected') assert.equal(each.reason.code, 'REPLAY_REFUSED')
      assert.deepEqual(keysOf(await written(REPLAY)), all(9))
      const kinds = Map.groupBy(await audit(), each => each.run)
      for (const [name, records] of kinds)
        if (name !== ended[0]!.name) {
          const last = records.at(-1)!
          assert.ok(last.kind === 'stopped' && /has not ended/.test(last.problem ?? ''), name)
        }
    }
  })

  it('K4 waits for what is open in the audit before its own start: that is there once, and not taken for fenced', async () => {
    const { port, run, instance, audit } = await replayWorld(numbered(3))
    await instance()
    const other = port.transactionalWriter({ transactionalId: 'killed', timeoutMs: 60_000 })
    await other.fence()
    const record = { timestamp: 1, key: Buffer.from('x'), value: Buffer.from('{}'), headers: [] }
    await other.send([sealedBatch([record], AUDIT, 0)])
    assert.equal((await run({}, {}, { port: losingFirstCommit(port) })).end, 'finished')
    assert.deepEqual(
      (await audit()).map(({ kind }) => kind),
      ['started', 'finished'],
    )
  })
})
