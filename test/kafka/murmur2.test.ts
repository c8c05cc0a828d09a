import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { murmur2, murmur2Partition } from '../../src/kafka/murmur2.ts'
import { murmur2Kafkajs } from '../support/kafkajs-originals.ts'

/** From the tests of the Java client, UtilsTest.testMurmur2. */
const JAVA_VECTORS: Readonly<Record<string, number>> = {
  '21': -973932308,
  foobar: -790332482,
  'a-little-bit-long-string': -985981536,
  'a-little-bit-longer-string': -1486304829,
  lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8: -58897971,
  abc: 479470107,
}

test('hashes are those of the Java client', () => {
  for (const [text, expected] of Object.entries(JAVA_VECTORS)) {
    const bytes = Buffer.from(`..${text}.`)
    assert.equal(murmur2(bytes, 2, bytes.length - 1), expected, text)
  }
})

test('hashes and partitions are those of kafkajs for any key', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 1, max: 1000 }), (array, partitions) => {
      const key = Buffer.from(array)
      const expected = Number(BigInt.asIntN(32, BigInt(murmur2Kafkajs(key))))
      assert.equal(murmur2(key, 0, key.length), expected)
      assert.equal(murmur2Partition(key, 0, key.length, partitions), (expected & 0x7fffffff) % partitions)
    }),
    { numRuns: 1000 },
  )
})
