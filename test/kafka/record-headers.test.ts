import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Header } from '../../src/kafka/record-block.ts'
import {
  countOfPrefix,
  encodeHeaders,
  parseHeaders,
  sizeOfHeaders,
  withoutPrefix,
} from '../../src/kafka/record-headers.ts'

const PREFIX = Buffer.from('kri-')
const name = fc.oneof(
  fc.constantFrom('a', 'kri-', 'kri-source', 'kri', 'xkri-', 'KRI-code'),
  fc.string({ unit: 'grapheme' }),
)
const value = fc.option(fc.uint8Array({ maxLength: 200 }).map(bytes => Buffer.from(bytes)))
const headerList = fc.array(fc.tuple(name, value), { maxLength: 8 })

test('headers come back as they were: order, repeated names, null and empty values', () => {
  fc.assert(
    fc.property(headerList, headers => {
      const bytes = encodeHeaders(headers)
      assert.equal(bytes.length, sizeOfHeaders(headers))
      assert.deepEqual(parseHeaders(bytes, 0, bytes.length, headers.length), headers)
    }),
  )
})

test('names with a prefix are counted, and taken out without touching the others', () => {
  fc.assert(
    fc.property(headerList, headers => {
      const bytes = Buffer.concat([Buffer.from('..'), encodeHeaders(headers)])
      const others = headers.filter(([name]) => !name.startsWith('kri-'))
      assert.equal(countOfPrefix(bytes, 2, bytes.length, headers.length, PREFIX), headers.length - others.length)
      const kept = withoutPrefix(bytes, 2, bytes.length, headers.length, PREFIX)
      assert.equal(kept.count, others.length)
      assert.deepEqual(kept.bytes, encodeHeaders(others))
    }),
  )
})

test('a header that reaches past its record is refused', () => {
  const headers: Header[] = [['name', Buffer.from('value')]]
  const bytes = encodeHeaders(headers)
  assert.throws(() => parseHeaders(bytes, 0, bytes.length - 1, 1), { code: 'RECORDS_UNREADABLE' })
  assert.throws(() => countOfPrefix(bytes, 0, bytes.length, 2, PREFIX), { code: 'RECORDS_UNREADABLE' })
})
