// Replays from their start to their end, S1, S2 and K1 to K3, on a broker in memory.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { newRunName } from '../../src/dead-letters/replay-order.ts'
import { cancelReplay } from '../../src/dead-letters/replay-start.ts'
import { RunInferenceError } from '../../src/errors.ts'
import type { KafkaPort } from '../../src/kafka/port.ts'
import { sealedBatch } from '../support/record-batches.ts'
import { AUDIT, keysOf, LETTERS, numbered, PARKED, REPLAY, replayWorld } from '../support/replay-world.ts'

const refused = (message: RegExp) => ({ code: 'REPLAY_REFUSED', message })
const all = (count: number) => keysOf(numbered(count).map(({ key }) => ({ key: String(key) })))

/** Its transactions, but that of its start, wait with their offsets, and are lost then. */
function losing(port: KafkaPort, until: Promise<void>): KafkaPort {
  return {
    ...port,
    transactionalWriter(options) {
      const writer = port.transactionalWriter(options)
      let commits = 0
      return {
        fence: () => writer.fence(),
        send: batches => writer.send(batches),
        commit: () => writer.commit(),
        abort: () => writer.abort(),
        close: () => writer.close(),
        async sendOffsets(group, offsets) {
          if (commits++ === 0) return writer.sendOffsets(group, offsets)
          await until
          throw new RunInferenceError('TRANSACTION_LOST', 'says the test')
        },
      }
    },
  }
}

describe('a replay', () => {
  it('S1 says in the audit who began it, why, with what, and how it ended', async () => {
    const { run, audit, instance, written, add } = await replayWorld(numbered(7))
    await instance()
    const begun: boolean[] = []
    const wish = { reason: 'model v3', selection: { keys: ['k1', 'k2', 'later'] } }
    const { end, counts } = await run(wish, {
      onStarted: (_, isResumed) => {
        begun.push(isResumed)
        void add([{ key: 'later' }])
      },
    })
    assert.deepEqual([end, counts, begun], ['finished', { replayed: 2, parked: 0, lost: 0 }, [false]])
    assert.deepEqual(keysOf(await written(REPLAY)), ['k1', 'k2'])
    const [started, finished, ...more] = await audit()
    assert.deepEqual(more, [])
    const { at: _, ...first } = started!
    assert.deepEqual(first, {
      ...{ run: 'night', by: 'anna@shop', reason: 'model v3', kind: 'started' },
      order: {
        selection: wish.selection,
        bounds: {
          'shop.classify.failed-preprocess': [0, 0, 0],
          [LETTERS]: [3, 2, 2],
          'shop.classify.failed-postprocess': [0, 0, 0],
        },
        ...{ target: { kind: 'replay' }, maxReplays: 3, guarantee: 'exactly_once', setHeaders: {} },
      },
    })
    assert.ok(finished?.kind === 'finished' && finished.positions?.[LETTERS]?.join() === '3,2,2')
  })

  it('S1 goes on as it began, and counts from its first start on; then it is over', async () => {
    const { run, audit, instance, written } = await replayWorld(numbered(9))
    await instance()
    assert.equal((await run({ selection: { codes: ['SHAPE_MISMATCH'] } }, { limit: 4 })).end, 'stopped')
    const { end, counts, isResumed } = await run({}, {}, { by: 'ben@shop', guarantee: 'at_least_once' })
    assert.deepEqual([end, isResumed, counts], ['finished', true, { replayed: 9, parked: 0, lost: 0 }])
    assert.deepEqual(keysOf(await written(REPLAY)), all(9))
    assert.deepEqual(
      (await audit()).map(({ kind, by }) => [kind, by]),
      [
        ['started', 'anna@shop'],
        ['stopped', 'anna@shop'],
        ['resumed', 'ben@shop'],
        ['finished', 'ben@shop'],
      ],
    )
    await assert.rejects(run(), refused(/run night .* is over, finished at .*: choose another name/))
    assert.equal((await run({ name: 'other' })).counts.replayed, 9)
  })

  it('S1 is refused with a selection, target, count, guarantee or headers that it did not begin with, each named', async () => {
    const { run, instance, audit } = await replayWorld(numbered(5))
    await instance()
    await run({ selection: { codes: ['SHAPE_MISMATCH'] }, maxReplays: 2 }, { limit: 1 })
    const wish = { selection: { steps: ['classify'] }, target: { kind: 'source' }, maxReplays: 2 } as const
    await assert.rejects(run({ ...wish, guarantee: 'at_least_once', setHeaders: { a: 'b' } }), ({ message }: Error) => {
      for (const what of ['steps: it has none', 'codes: it has \\["SHAPE', 'target: ', 'guarantee: ', 'setHeaders: '])
        assert.match(message, new RegExp(`\\n  ${what}`))
      assert.doesNotMatch(message, /maxReplays/)
      return true
    })
    assert.equal((await run({ maxReplays: 2, selection: { codes: ['SHAPE_MISMATCH'] } })).end, 'finished')
    assert.equal((await audit()).length, 4)
  })

  it('S2 stops in order when it is told to, and goes on behind that', async () => {
    const { start, over, instance, audit, written, run } = await replayWorld(numbered(12))
    await instance()
    const ctrlC = new AbortController()
    const slow = start({}, { rate: 4, onProgress: done => done > 3 && ctrlC.abort() }, { signal: ctrlC.signal })
    const { end, counts } = await over(slow)
    assert.equal(end, 'stopped')
    const stopped = (await audit()).at(-1)!
    assert.ok(stopped.kind === 'stopped' && stopped.counts.replayed === counts.replayed && counts.replayed < 12)
    assert.equal((await run()).counts.replayed, 12)
    assert.deepEqual(keysOf(await written(REPLAY)), all(12))
  })

  it('K1 of two of one name the later has it: the earlier ends with TRANSACTION_FENCED, and every letter is written once', async () => {
    const { start, over, run, instance, written, audit, clock } = await replayWorld(numbered(12))
    await instance()
    const slow = start({}, { rate: 4 })
    slow.catch(() => {})
    await clock.advance(1_000)
    const { end, counts } = await run({}, {}, { by: 'ben@shop' })
    assert.deepEqual([end, counts.replayed], ['finished', 12])
    await assert.rejects(over(slow), { code: 'TRANSACTION_FENCED' })
    assert.deepEqual(keysOf(await written(REPLAY)), all(12))
    assert.deepEqual(
      (await audit()).map(({ kind }) => kind),
      ['started', 'resumed', 'finished'],
    )
  })

  it('K2 does not take back a run that somebody took up or cancelled while it had lost its transaction', async () => {
    for (const takeOver of ['resume', 'cancel'] as const) {
      const { start, over, run, instance, written, port, clock, parts } = await replayWorld(numbered(12))
      await instance()
      const lost = Promise.withResolvers<void>()
      const own = losing(port, lost.promise)
      const slow = start({}, { rate: 4 }, { port: own })
      slow.catch(() => {})
      await clock.advance(1_000)
      const ben = { by: 'ben@shop' }
      if (takeOver === 'resume') await run({}, {}, ben)
      else await over(cancelReplay(parts(ben), { name: 'night' }))
      const before = (await written(REPLAY)).length
      lost.resolve()
      const message = takeOver === 'resume' ? /ben@shop has taken it up/ : /ben@shop has cancelled it/
      await assert.rejects(over(slow), { code: 'TRANSACTION_FENCED', message })
      assert.equal((await written(REPLAY)).length, before)
    }
  })

  it('K3 is in the audit once, whatever answers are lost, and writes every letter once', async () => {
    const points = ['transactionSend', 'sendOffsets', 'endTransaction', 'fence'] as const
    const fault = fc.record({ point: fc.constantFrom(...points), isLost: fc.boolean(), after: fc.nat(3) })
    await fc.assert(
      fc.asyncProperty(fc.array(fault, { maxLength: 6 }), async faults => {
        const { start, over, instance, written, audit, broker } = await replayWorld(numbered(8))
        await instance()
        const inject = (at: number) => {
          for (const { point, isLost, after } of faults) {
            if (after !== at) continue
            if (isLost) broker.loseResponse(1, point)
            else broker.failNext(point, new RunInferenceError('TRANSACTION_LOST', 'says the test'))
          }
        }
        inject(0)
        const { end, counts } = await over(start({}, { onProgress: done => inject(done) }))
        assert.deepEqual([end, counts.replayed], ['finished', 8])
        assert.deepEqual(keysOf(await written(REPLAY)), all(8))
        assert.deepEqual(
          (await audit()).map(({ kind }) => kind),
          ['started', 'finished'],
        )
      }),
      { numRuns: 60 },
    )
  })

  it('is cancelled for good, also where nobody runs it, with what it had done', async () => {
    const { run, instance, over, parts, audit } = await replayWorld(numbered(6))
    await instance()
    await assert.rejects(over(cancelReplay(parts(), { name: 'night' })), refused(/there is no run night/))
    await run({}, { limit: 2 })
    const { counts } = await over(cancelReplay(parts(), { name: 'night', reason: 'wrong ones' }))
    assert.equal(counts.replayed, 2)
    assert.equal((await audit()).at(-1)!.reason, 'wrong ones')
    await assert.rejects(run(), refused(/is over, cancelled at/))
    await assert.rejects(over(cancelReplay(parts(), { name: 'night' })), refused(/is over, cancelled at/))
  })

  it('says in the audit why it was stopped by the broker, and goes on when that is mended', async () => {
    const { run, instance, audit, port, written } = await replayWorld(numbered(3))
    const member = await instance()
    await member.stop()
    await assert.rejects(run(), refused(/no member of group shop reads shop\.orders\.replay: start the application/))
    assert.deepEqual(await audit(), [])
    await instance()
    const failing = { ...port, transactionalWriter: port.transactionalWriter.bind(port), scan: port.scan.bind(port) }
    failing.scan = (ranges, options) => {
      if (ranges.some(({ topic }) => topic === LETTERS)) throw new RunInferenceError('AUTHORISATION', 'may not read')
      return port.scan(ranges, options)
    }
    await assert.rejects(run({}, {}, { port: failing }), { code: 'AUTHORISATION' })
    const stopped = (await audit()).at(-1)!
    assert.ok(stopped.kind === 'stopped' && /may not read/.test(stopped.problem ?? ''))
    await run()
    assert.deepEqual(keysOf(await written(REPLAY)), all(3))
  })

  it('parks what was replayed too often, and all of them when that is asked for', async () => {
    const letters = [
      { key: 'again', facts: { 'replay-count': '2' } },
      { key: 'too often', facts: { 'replay-count': '3' } },
    ]
    const { run, written, instance } = await replayWorld(letters)
    // Nobody has to read what is parked.
    const aside = { name: 'aside', target: { kind: 'parked' } } as const
    assert.deepEqual((await run(aside)).counts, { replayed: 0, parked: 2, lost: 0 })
    assert.deepEqual(keysOf(await written(PARKED)), ['again', 'too often'])
    await instance()
    assert.deepEqual((await run()).counts, { replayed: 1, parked: 1, lost: 0 })
  })

  it('a name whose audit cannot be read is refused, others are not', async () => {
    const { run, port, instance } = await replayWorld(numbered(1))
    await instance()
    const record = { timestamp: 1, key: Buffer.from('night'), value: Buffer.from('{}'), headers: [] }
    await port.writer().send([sealedBatch([record], AUDIT, 0)])
    await assert.rejects(run(), { code: 'AUDIT_INVALID' })
    assert.equal((await run({ name: 'other' })).end, 'finished')
  })

  it('has a name that says when and who, whoever that is', () => {
    const time = Date.parse('2026-01-02T03:04:05.678Z')
    assert.equal(newRunName('anna@shop', time), '20260102-030405-678-anna')
    assert.equal(newRunName('ü/\n@x', time), '20260102-030405-678--')
    assert.equal(newRunName('@x', time), '20260102-030405-678-somebody')
  })
})
