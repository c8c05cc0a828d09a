// What becomes of the calls of a transactional writer that is fenced anew or closed under way.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { withCode } from '../contract/port-harness.ts'
import { batch, scriptedTransactions } from '../support/scripted-transactions.ts'

const ok = { outcome: 'acknowledged', baseOffset: 7 }

describe('a transactional writer that is overtaken', () => {
  it('T7 a fence ends what is under way at once, and a late answer changes nothing', async () => {
    const { fenced, answer, clock, batches } = scriptedTransactions()
    const writer = await fenced()
    const late = Promise.withResolvers<void>()
    answer('Produce', late.promise)
    const overtaken = assert.rejects(writer.send([batch(0, 'a', 9)]), withCode('TRANSACTION_LOST'))
    await clock.settle()
    await writer.fence()
    await overtaken
    late.resolve()
    await clock.settle()
    assert.deepEqual(await writer.send([batch(0, 'b')]), [ok])
    await writer.commit()
    assert.deepEqual(
      batches.map(({ value, epoch, sequence }) => `${value} ${epoch}:${sequence}`),
      ['a 0:0', 'b 1:0'],
    )
  })

  for (const end of ['close', 'fence'] as const) {
    it(`T7 ${end}: what waited for a coordinator, or behind another request, is not sent any more`, async () => {
      const large = (partition: number) => batch(partition, 'x', 1, 3_000_000)
      for (const [step, sent] of [
        ['find transaction', []],
        ['Produce', ['AddPartitionsToTxn 0', 'Produce 1']],
      ] as const) {
        const { fenced, answer, clock, requests } = scriptedTransactions()
        const writer = await fenced()
        const gate = Promise.withResolvers<void>()
        answer(step, gate.promise)
        const ended = assert.rejects(writer.send([large(0), large(1)]))
        await clock.settle()
        await writer[end]()
        gate.resolve()
        await clock.settle()
        await ended
        const names = requests.map(request => request.split(' ', 2).join(' '))
        assert.deepEqual(
          names.filter(name => name !== 'InitProducerId'),
          sent,
        )
      }
    })
  }
})
