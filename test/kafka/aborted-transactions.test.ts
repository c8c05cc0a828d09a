import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AbortedTransaction } from '../../src/kafka/aborted-transactions.ts'
import { readRecordBlock } from '../../src/kafka/record-batch-reader.ts'
import { Decoder, decodeMessages, filterAbortedMessages } from '../support/kafkajs-originals.ts'
import { endMarker, plainRecord, sealedBatch, storedBatch, valuesAt, valuesOf } from '../support/record-batches.ts'

const A = 101
const B = 202

function transactional(baseOffset: number, producerId: number, values: readonly string[]): Buffer {
  return valuesAt(baseOffset, values, { producerId, transactional: true })
}

function committed(batches: readonly Buffer[], abortedTransactions: readonly AbortedTransaction[], startOffset = 0) {
  const records = Buffer.concat(batches)
  return readRecordBlock({ topic: 't', partition: 0, records, startOffset, endOffset: 0, abortedTransactions })
}

/** What kafkajs would have let through. */
async function kafkajsCommitted(batches: readonly Buffer[], aborted: readonly AbortedTransaction[]) {
  const size = Buffer.alloc(4)
  size.writeInt32BE(Buffer.concat(batches).length)
  const messages = await decodeMessages(new Decoder(Buffer.concat([size, ...batches])))
  const abortedTransactions = aborted.map(a => ({ producerId: `${a.producerId}`, firstOffset: `${a.firstOffset}` }))
  return filterAbortedMessages({ messages, abortedTransactions })
    .filter(message => !(message as unknown as { isControlRecord: boolean }).isControlRecord)
    .map(message => message.value?.toString())
}

test('1: overlapping aborted transactions, listed in the order of their ends, are both left out', async () => {
  // A begins first and ends last: the broker lists B before A.
  const batches = [
    transactional(0, A, ['a0', 'a1']),
    transactional(2, B, ['b2']),
    endMarker('abort', 3, B),
    transactional(4, A, ['a4']),
    endMarker('abort', 5, A),
    valuesAt(6, ['plain']),
  ]
  const aborted = [
    { producerId: B, firstOffset: 2 },
    { producerId: A, firstOffset: 0 },
  ]
  assert.deepEqual(valuesOf(committed(batches, aborted)), ['plain'])
  assert.equal(committed(batches, aborted).nextOffset, 7)
  assert.notDeepEqual(await kafkajsCommitted(batches, aborted), ['plain'], 'the original leaks here')
})

test('2: a fetch that begins inside two aborted transactions leaves both out', async () => {
  const batches = [transactional(10, A, ['a10']), transactional(11, B, ['b11']), endMarker('abort', 12, A)]
  const aborted = [
    { producerId: A, firstOffset: 4 },
    { producerId: B, firstOffset: 2 },
  ]
  assert.deepEqual(valuesOf(committed(batches, aborted, 10)), [])
  const oneBatch = [transactional(10, A, ['a10']), endMarker('abort', 11, A)]
  assert.deepEqual(valuesOf(committed(oneBatch, aborted, 10)), [])
  assert.notDeepEqual(await kafkajsCommitted(oneBatch, aborted.toReversed()), [], 'the original leaks here')
})

test('4: a user record whose key is the number zero in four bytes is no abort marker', async () => {
  const zeroKey = { ...plainRecord('zero', Buffer.alloc(4)) }
  const batches = [
    storedBatch(sealedBatch([zeroKey, plainRecord('after')]).bytes, { producerId: A, transactional: true }),
    endMarker('abort', 2, A),
    transactional(3, A, ['next']),
    endMarker('commit', 4, A),
  ]
  const aborted = [{ producerId: A, firstOffset: 0 }]
  assert.deepEqual(valuesOf(committed(batches, aborted)), ['next'])
  assert.notDeepEqual(await kafkajsCommitted(batches, aborted), ['next'], 'the original leaks here')
})

test('abort, commit, abort by one producer: only the committed transaction is seen', () => {
  const batches = [
    transactional(0, A, ['no']),
    endMarker('abort', 1, A),
    transactional(2, A, ['yes']),
    endMarker('commit', 3, A),
    transactional(4, A, ['no again']),
    endMarker('abort', 5, A),
  ]
  const aborted = [
    { producerId: A, firstOffset: 0 },
    { producerId: A, firstOffset: 4 },
  ]
  assert.deepEqual(valuesOf(committed(batches, aborted)), ['yes'])
})

test('3: records that the same producer id wrote outside of a transaction, and other producers, are kept', () => {
  const batches = [
    transactional(0, A, ['aborted']),
    valuesAt(1, ['not transactional'], { producerId: A }),
    transactional(2, B, ['other']),
    endMarker('commit', 3, B),
    endMarker('abort', 4, A),
  ]
  assert.deepEqual(valuesOf(committed(batches, [{ producerId: A, firstOffset: 0 }])), ['not transactional', 'other'])
})

test('when the marker is outside of the response, the rest of the response is left out', () => {
  const batches = [transactional(0, A, ['a0']), transactional(1, A, ['a1'])]
  const block = committed(batches, [{ producerId: A, firstOffset: 0 }])
  assert.equal(block.count, 0)
  assert.equal(block.nextOffset, 2)
})

test('without the list, as a read_uncommitted fetch has it, everything but control records is seen', () => {
  const records = Buffer.concat([transactional(0, A, ['a0']), endMarker('abort', 1, A)])
  const block = readRecordBlock({ topic: 't', partition: 0, records, startOffset: 0, endOffset: 0 })
  assert.deepEqual(valuesOf(block), ['a0'])
})
