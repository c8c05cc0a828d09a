import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { sizeOfVarint, sizeOfVarlong, VarintCursor, writeVarint, writeVarlong } from '../../src/kafka/varint.ts'
import { Encoder } from '../support/kafkajs-originals.ts'

const int32 = fc.oneof(fc.integer(), fc.integer({ min: -200, max: 200 }), fc.constantFrom(-(2 ** 31), 2 ** 31 - 1))
const safeInteger = fc.oneof(fc.maxSafeInteger(), int32, fc.constantFrom(-(2 ** 53) + 1, 2 ** 53 - 1, -(2 ** 31) - 1))

test('an int32 is written as kafkajs writes it, in as many bytes as announced, and read back', () => {
  fc.assert(
    fc.property(int32, value => {
      const bytes = Buffer.alloc(12)
      const end = writeVarint(bytes, 1, value)
      assert.deepEqual(bytes.subarray(1, end), new Encoder().writeVarInt(value).buffer)
      assert.equal(sizeOfVarint(value), end - 1)
      const cursor = new VarintCursor(bytes, 1)
      assert.equal(cursor.varint(), value)
      assert.equal(cursor.at, end)
    }),
    { numRuns: 2000 },
  )
})

test('any integer below 2^53 is written as kafkajs writes it, in as many bytes as announced, and read back', () => {
  fc.assert(
    fc.property(safeInteger, value => {
      const bytes = Buffer.alloc(12)
      const end = writeVarlong(bytes, 1, value)
      assert.deepEqual(bytes.subarray(1, end), new Encoder().writeVarLong(value).buffer)
      assert.equal(sizeOfVarlong(value), end - 1)
      const cursor = new VarintCursor(bytes, 1)
      assert.equal(cursor.varlong(), value)
      assert.equal(cursor.at, end)
    }),
    { numRuns: 2000 },
  )
})

test('an endless number ends at its longest form, so that damaged bytes cannot loop', () => {
  const cursor = new VarintCursor(Buffer.alloc(100, 0xff), 0)
  cursor.varint()
  assert.equal(cursor.at, 5)
  cursor.varlong()
  assert.equal(cursor.at, 15)
})
