import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ErrorCode } from '../../src/errors.ts'
import { withCode } from '../contract/port-harness.ts'
import { batch, CODES, scriptedTransactions, TIMEOUT_MS } from '../support/scripted-transactions.ts'

const ok = { outcome: 'acknowledged', baseOffset: 7 }
const offsets = (offset: number) => [{ topic: 'in', partition: 0, offset }]

/** How each step of a transaction can be answered. */
const STEPS = {
  AddPartitionsToTxn: w => w.send([batch(0, 'a')]),
  Produce: w => w.send([batch(0, 'a')]),
  AddOffsetsToTxn: w => w.sendOffsets('g', offsets(1)),
  TxnOffsetCommit: w => w.sendOffsets('g', offsets(1)),
  EndTxn: w => w.commit(),
} satisfies Record<string, (writer: ReturnType<typeof scriptedTransactions>['writer']) => Promise<unknown>>

describe('a transactional writer', () => {
  it('adds partitions and groups once in a transaction, sends, and ends it', async () => {
    const { fenced, requests, batches } = scriptedTransactions()
    const writer = await fenced()
    assert.deepEqual(await writer.send([batch(0, 'a', 2), batch(2, 'b')]), [ok, ok])
    assert.deepEqual(await writer.send([batch(0, 'c'), batch(1, 'd')]), [ok, ok])
    await writer.sendOffsets('g', offsets(5))
    await writer.sendOffsets('g', offsets(6))
    await writer.commit()
    assert.deepEqual(requests, [
      'AddPartitionsToTxn 0 0,2',
      'Produce 1 0=a',
      'Produce 2 2=b',
      'AddPartitionsToTxn 0 1',
      'Produce 1 0=c,1=d',
      'AddOffsetsToTxn 0 g',
      'TxnOffsetCommit 0 g 0@5',
      'TxnOffsetCommit 0 g 0@6',
      'EndTxn 0 commit',
    ])
    assert.ok(batches.every(sent => sent.transactional))
    requests.length = 0
    await writer.sendOffsets('g', offsets(7))
    assert.equal(requests[0], 'AddOffsetsToTxn 0 g')
  })

  it('sends offsets beside batches, in one transaction, whose end waits for both', async () => {
    const { fenced, requests, clock, answer } = scriptedTransactions()
    const writer = await fenced()
    const held = Promise.withResolvers<void>()
    answer('Produce', held.promise)
    const both = Promise.all([writer.send([batch(0, 'a')]), writer.sendOffsets('g', offsets(5))])
    await clock.settle()
    const wanted = 'AddOffsetsToTxn 0 g, AddPartitionsToTxn 0 0, Produce 1 0=a, TxnOffsetCommit 0 g 0@5'
    assert.equal(requests.toSorted().join(', '), wanted)
    await assert.rejects(writer.commit(), withCode('BUG'))
    await assert.rejects(writer.send([batch(1, 'b')]), withCode('BUG'))
    held.resolve()
    await both.then(() => writer.commit())
    assert.deepEqual(requests.slice(4), ['EndTxn 0 commit'])
  })

  it('T1 sends nothing more of a call whose neighbour has lost the transaction', async () => {
    const { fenced, requests, clock, answer } = scriptedTransactions()
    const writer = await fenced()
    const held = Promise.withResolvers<void>()
    answer('AddOffsetsToTxn', held.promise)
    answer('Produce', CODES.INVALID_PRODUCER_EPOCH)
    const beside = assert.rejects(writer.sendOffsets('g', offsets(5)), withCode('TRANSACTION_FENCED'))
    await assert.rejects(writer.send([batch(0, 'a')]), withCode('TRANSACTION_FENCED'))
    held.resolve()
    await clock.advance(1_000)
    await beside
    assert.ok(!requests.some(request => request.startsWith('TxnOffsetCommit')), `${requests}`)
  })

  it('asks nothing where nothing was opened', async () => {
    const { fenced, requests } = scriptedTransactions()
    const writer = await fenced()
    assert.deepEqual(await writer.send([]), [])
    await writer.sendOffsets('g', [])
    await writer.commit()
    await writer.abort()
    assert.deepEqual(requests, [])
  })

  for (const step of Object.keys(STEPS) as (keyof typeof STEPS)[]) {
    it(`T1 rejects alike after ${step} was refused for the epoch, until a fence gives the next`, async () => {
      const { fenced, requests, answer, batches } = scriptedTransactions()
      const writer = await fenced()
      const ends: [code: number, as: ErrorCode][] = [
        [CODES.INVALID_PRODUCER_EPOCH, 'TRANSACTION_FENCED'],
        [CODES.PRODUCER_FENCED, 'TRANSACTION_FENCED'],
        [CODES.INVALID_PRODUCER_ID_MAPPING, 'TRANSACTION_LOST'],
        [CODES.INVALID_TXN_STATE, 'TRANSACTION_LOST'],
        [CODES.UNKNOWN_PRODUCER_ID, 'TRANSACTION_LOST'],
        [CODES.OUT_OF_ORDER_SEQUENCE_NUMBER, 'TRANSACTION_LOST'],
      ]
      for (const [code, as] of ends) {
        await writer.send([batch(1, 'z', 3)])
        answer(step, code)
        const failure = await STEPS[step](writer).catch((error: unknown) => error)
        withCode(as)(failure)
        requests.length = 0
        for (const again of Object.values(STEPS)) await assert.rejects(again(writer), error => error === failure)
        await assert.rejects(writer.abort(), error => error === failure)
        assert.deepEqual(requests, [])
        await writer.fence()
      }
      assert.deepEqual(
        batches.filter(sent => sent.partition === 1).map(({ epoch, sequence }) => `${epoch}:${sequence}`),
        ['0:0', '1:0', '2:0', '3:0', '4:0', '5:0'],
      )
    })
  }

  it('T1 does nothing before its first fence', async () => {
    const { writer, requests } = scriptedTransactions()
    await assert.rejects(writer.send([batch(0, 'a')]), withCode('TRANSACTION_LOST'))
    assert.deepEqual(requests, [])
  })

  it('T2 sends the identical bytes again, and goes on in its sequences over committed and aborted transactions', async () => {
    const { fenced, batches, answer, clock } = scriptedTransactions()
    const writer = await fenced()
    answer('Produce', 'no answer', CODES.NOT_LEADER)
    const sending = writer.send([batch(0, 'a', 3)])
    await clock.advance(1_000)
    assert.deepEqual(await sending, [ok])
    const [first, second, third] = batches.splice(0)
    assert.ok(first!.bytes.equals(second!.bytes) && first!.bytes.equals(third!.bytes))
    await writer.commit()
    await writer.send([batch(0, 'b', 2)])
    await writer.abort()
    await writer.send([batch(0, 'c'), batch(1, 'd')])
    assert.deepEqual(
      batches.map(({ value, epoch, sequence }) => `${value} ${epoch}:${sequence}`),
      ['b 0:3', 'c 0:5', 'd 0:0'],
    )
  })

  it('T2 a refused batch leaves its sequence to the next, and its transaction can only be aborted', async () => {
    const { fenced, batches, answer } = scriptedTransactions()
    const writer = await fenced()
    answer('Produce', { 1: CODES.MESSAGE_TOO_LARGE })
    const results = await writer.send([batch(0, 'a', 2), batch(1, 'b', 5)])
    assert.deepEqual(results, [ok, { outcome: 'refused', reason: 'MESSAGE_TOO_LARGE' }])
    await assert.rejects(writer.commit(), withCode('BUG'))
    await writer.abort()
    await writer.send([batch(0, 'c'), batch(1, 'd')])
    await writer.commit()
    assert.deepEqual(
      batches.slice(2).map(({ value, sequence }) => `${value} ${sequence}`),
      ['c 2', 'd 0'],
    )
  })

  it('T2 ends the epoch where a batch is refused that an earlier attempt may have written', async () => {
    const { fenced, answer, clock } = scriptedTransactions()
    const writer = await fenced()
    answer('Produce', 'no answer', CODES.MESSAGE_TOO_LARGE)
    const lost = assert.rejects(writer.send([batch(0, 'a')]), withCode('TRANSACTION_LOST'))
    await clock.advance(1_000)
    await lost
  })

  it('T3 asks again, of whoever leads it by then, for a partition that no answer named', async () => {
    const { fenced, requests, unanswered, topic, clock } = scriptedTransactions()
    const writer = await fenced()
    unanswered.add(1)
    const sending = writer.send([batch(0, 'a'), batch(1, 'b'), batch(2, 'c')])
    await clock.settle()
    topic.leaders[1] = 2
    topic.leaders[0] = 2
    await clock.advance(1_000)
    assert.deepEqual(await sending, [ok, ok, ok])
    assert.deepEqual(requests.slice(1), ['Produce 1 0=a,1=b', 'Produce 2 2=c', 'Produce 2 1=b'])
  })

  it('T3 sends to one leader in turn what is too much for one request, and to two at once', async () => {
    const { fenced, batches } = scriptedTransactions()
    const writer = await fenced()
    const large = (partition: number) => batch(partition, 'x', 1, 3_000_000)
    assert.equal((await writer.send([large(0), large(1), large(2)])).length, 3)
    assert.deepEqual(
      batches.map(({ broker, partition }) => `${broker}: ${partition}`),
      ['1: 0', '2: 2', '1: 1'],
    )
  })

  for (const step of ['TxnOffsetCommit', 'EndTxn'] as const) {
    it(`T4 does not send ${step} again when its answer was lost, and takes the transaction for lost`, async () => {
      const { fenced, requests, answer, clock } = scriptedTransactions()
      const writer = await fenced()
      await writer.send([batch(0, 'a')])
      answer(step, 'no answer')
      const lost = assert.rejects(STEPS[step](writer), withCode('TRANSACTION_LOST'))
      await clock.advance(TIMEOUT_MS)
      await lost
      assert.equal(requests.filter(request => request.startsWith(step)).length, 1)
    })

    it(`T4 sends ${step} when a coordinator was found after a while, or answers that it is another`, async () => {
      const { fenced, requests, answer, clock } = scriptedTransactions()
      const writer = await fenced()
      await writer.send([batch(0, 'a')])
      answer('find transaction', 1, 1)
      answer('find group', 1, 1)
      answer(step, CODES.NOT_COORDINATOR, CODES.COORDINATOR_NOT_AVAILABLE)
      const done = STEPS[step](writer)
      await clock.advance(5_000)
      await done
      assert.equal(requests.filter(request => request.startsWith(step)).length, 3)
      assert.equal(requests.filter(request => request.startsWith('forget')).length, 2)
    })
  }

  it('T4 asks again to add partitions and offsets when the answer was lost', async () => {
    const { fenced, requests, answer, clock } = scriptedTransactions()
    const writer = await fenced()
    answer('AddPartitionsToTxn', 'no answer')
    answer('AddOffsetsToTxn', 'no answer')
    const done = writer.send([batch(0, 'a')]).then(() => writer.sendOffsets('g', offsets(1)))
    await clock.advance(1_000)
    await done
    assert.equal(requests.filter(request => request.startsWith('Add')).length, 4)
  })

  for (const step of ['AddPartitionsToTxn', 'Produce', 'AddOffsetsToTxn', 'EndTxn'] as const) {
    it(`T5 waits in an outage of ${step} for as long as the transaction lasts`, async () => {
      const { fenced, answer, clock } = scriptedTransactions()
      const writer = await fenced()
      await writer.send([batch(1, 'z')])
      answer(step, ...new Array<number>(99).fill(step === 'Produce' ? CODES.NOT_LEADER : CODES.NOT_COORDINATOR))
      let settled = false
      const lost = assert.rejects(STEPS[step](writer), withCode('TRANSACTION_LOST')).then(() => {
        settled = true
      })
      await clock.advance(TIMEOUT_MS - 1)
      assert.equal(settled, false)
      await clock.advance(1_001)
      await lost
    })
  }

  it('T5 takes a transaction for lost, not for taken over, when its time is over', async () => {
    const { fenced, answer, clock } = scriptedTransactions()
    const writer = await fenced()
    await writer.send([batch(0, 'a')])
    await clock.advance(TIMEOUT_MS)
    answer('EndTxn', CODES.INVALID_PRODUCER_EPOCH)
    await assert.rejects(writer.commit(), withCode('TRANSACTION_LOST'))
  })

  it('T6 asks again within milliseconds while the transaction before is being written out', async () => {
    const { fenced, answer, clock, requests } = scriptedTransactions()
    const writer = await fenced()
    answer('AddOffsetsToTxn', CODES.CONCURRENT_TRANSACTIONS, CODES.CONCURRENT_TRANSACTIONS)
    const done = writer.sendOffsets('g', offsets(1))
    await clock.advance(6)
    assert.equal(requests.length, 2)
    await clock.advance(1)
    await done
    answer('InitProducerId', CODES.CONCURRENT_TRANSACTIONS, CODES.CONCURRENT_TRANSACTIONS)
    const fencing = writer.fence()
    await clock.advance(8)
    await fencing
  })

  it('T6 asks again later where it took longer before', async () => {
    const { fenced, answer, clock, requests } = scriptedTransactions()
    const writer = await fenced()
    answer('AddOffsetsToTxn', ...new Array<number>(8).fill(CODES.CONCURRENT_TRANSACTIONS))
    const slow = writer.sendOffsets('g', offsets(1))
    await clock.advance(3 + 7 * 4)
    await slow
    await writer.commit()
    const before = requests.length
    answer('AddOffsetsToTxn', CODES.CONCURRENT_TRANSACTIONS)
    const next = writer.sendOffsets('g', offsets(2))
    await clock.advance(7)
    assert.equal(requests.length, before + 1)
    await clock.advance(2)
    await next
  })

  it('T7 close ends what is under way at once, and everything else with it', async () => {
    const { fenced, answer, clock, requests, hasLeft } = scriptedTransactions()
    const writer = await fenced()
    answer('AddPartitionsToTxn', ...new Array<'no answer'>(99).fill('no answer'))
    const closed = assert.rejects(writer.send([batch(0, 'a')]), withCode('CLOSED'))
    await clock.settle()
    await writer.close()
    await closed
    requests.length = 0
    await clock.advance(TIMEOUT_MS)
    for (const step of Object.values(STEPS)) await assert.rejects(step(writer), withCode('CLOSED'))
    await assert.rejects(writer.fence(), withCode('CLOSED'))
    assert.deepEqual(requests, [])
    assert.ok(hasLeft())
  })
})
