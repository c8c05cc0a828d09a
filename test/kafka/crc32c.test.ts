import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { crc32c } from '../../src/kafka/crc32c.ts'
import { crc32cSliced } from '../../src/kafka/crc32c-sliced.ts'
import { crc32cKafkajs } from '../support/kafkajs-originals.ts'

const bytesUpTo31 = Buffer.from(Array.from({ length: 32 }, (_, i) => i))

/** RFC 3720 appendix B.4, and the check value of the CRC catalogue. */
const VECTORS: readonly (readonly [string, Buffer, number])[] = [
  ['the digits 1 to 9', Buffer.from('123456789'), 0xe306_9283],
  ['32 zeros', Buffer.alloc(32), 0x8a91_36aa],
  ['32 times 255', Buffer.alloc(32, 255), 0x62a8_ab43],
  ['0 to 31', bytesUpTo31, 0x46dd_794e],
  ['31 to 0', Buffer.from(bytesUpTo31).reverse(), 0x113f_db5c],
  ['nothing', Buffer.alloc(0), 0],
]

for (const [name, bytes, expected] of VECTORS) {
  test(`CRC-32C of ${name}`, () => {
    assert.equal(crc32c(bytes, 0, bytes.length), expected)
    assert.equal(crc32cSliced(bytes, 0, bytes.length), expected)
  })
}

test('both implementations and that of kafkajs agree on any range of any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), fc.nat(20), (array, start) => {
      const bytes = Buffer.from(array)
      const from = Math.min(start, bytes.length)
      const expected = crc32cKafkajs(bytes.subarray(from))
      assert.equal(crc32c(bytes, from, bytes.length), expected)
      assert.equal(crc32cSliced(bytes, from, bytes.length), expected)
    }),
  )
})
