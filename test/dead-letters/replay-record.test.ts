// What is written again is what was first read.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { deadLetterOf } from '../../src/dead-letters/dead-letter.ts'
import { type ReplayedAs, replayedRecord } from '../../src/dead-letters/replay-record.ts'
import type { Header } from '../../src/kafka/record-block.ts'
import { letterBlock, type TestLetter } from '../support/letter-blocks.ts'

const AGAIN: ReplayedAs = { isPrivate: false, setHeaders: {} }

function again(letter: TestLetter, as: Partial<ReplayedAs> = {}) {
  const block = letterBlock([letter])
  return replayedRecord(deadLetterOf(block, 0), block, 0, { ...AGAIN, ...as })
}

const bytes = fc.uint8Array({ maxLength: 20 }).map(each => Buffer.from(each))
const header: fc.Arbitrary<Header> = fc.tuple(
  fc.constantFrom('a', 'b', 'traceparent', 'Kri-x', ''),
  fc.option(bytes) as fc.Arbitrary<Buffer | null>,
)

describe('a dead letter that is written again', () => {
  it('has key, value, headers and time as they were first read, byte for byte', () => {
    fc.assert(
      fc.property(
        fc.option(bytes),
        fc.option(fc.string()),
        fc.array(header, { maxLength: 4 }),
        (key, value, carried) => {
          const record = again({ key, value, carried })
          assert.deepEqual(record.key, key)
          assert.deepEqual(record.value, value === null ? null : Buffer.from(value))
          assert.deepEqual(record.headers, carried)
          assert.equal(record.timestamp, 1_000)
        },
      ),
    )
  })

  it('takes our headers along to a replay topic, and nowhere else', () => {
    const letter: TestLetter = { carried: [['a', null]], facts: { 'replay-count': '2' } }
    const names = (as: Partial<ReplayedAs>) => again(letter, as).headers.map(([name]) => name)
    assert.deepEqual(names({}), ['a'])
    const own = names({ isPrivate: true })
    for (const name of ['a', 'kri-step', 'kri-node', 'kri-stage', 'kri-original-offset', 'kri-replay-count'])
      assert.ok(own.includes(name), name)
  })

  it('has headers set in place of all of their name, and taken away', () => {
    const carried: Header[] = [
      ['a', Buffer.from('1')],
      ['b', null],
      ['a', Buffer.from('2')],
    ]
    assert.deepEqual(again({ carried }, { setHeaders: { a: 'x', c: 'y', b: null } }).headers, [
      ['a', Buffer.from('x')],
      ['c', Buffer.from('y')],
    ])
  })

  it('has its value back where it was left out, and says no more that it was', () => {
    const facts = { 'value-bytes': '1', 'value-sha256': 'ab' }
    const record = again({ value: null, facts }, { isPrivate: true, value: Buffer.from('v') })
    assert.deepEqual(record.value, Buffer.from('v'))
    assert.equal(
      record.headers.some(([name]) => name.startsWith('kri-value')),
      false,
    )
  })

  it('has the time of its arrival where its own is not stated', () => {
    assert.equal(again({ facts: { 'original-timestamp': undefined } }).timestamp, 9_000)
  })
})
