import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { encodeHeaders } from '../../src/kafka/record-headers.ts'
import { PositionHeader } from '../../src/pipeline/provenance.ts'

describe('the kri-source header', () => {
  it('is what the header codec writes, for any topic length and any offset in any order', () => {
    const offset = fc.oneof(
      fc.maxSafeNat(),
      fc.nat({ max: 15 }).map(digits => 10 ** digits),
      fc.nat({ max: 15 }).map(digits => 10 ** digits - 1),
    )
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 249 }),
        fc.nat({ max: 99_999 }),
        fc.array(offset, { minLength: 1, maxLength: 6 }),
        (length, partition, offsets) => {
          const topic = 't'.repeat(length)
          const header = new PositionHeader('kri-source', { topic, partition })
          for (const each of offsets) {
            const end = header.write(each)
            const text = Buffer.from(`${topic}/${partition}/${each}`)
            assert.deepEqual(header.bytes.subarray(0, end), encodeHeaders([['kri-source', text]]))
          }
        },
      ),
      { numRuns: 500 },
    )
  })

  it('is what the header codec writes for offsets one behind the other, and for gaps between them', () => {
    const header = new PositionHeader('kri-source', { topic: 'in', partition: 3 })
    for (const first of [0, 95, 995, 5_000, 1_000_000_095]) {
      for (let offset = first; offset < first + 30; offset += offset % 7 === 0 ? 2 : 1) {
        const end = header.write(offset)
        const expected = encodeHeaders([['kri-source', Buffer.from(`in/3/${offset}`)]])
        assert.deepEqual(header.bytes.subarray(0, end), expected)
      }
    }
  })
})
