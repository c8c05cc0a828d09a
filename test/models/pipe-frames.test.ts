import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { FrameReader, frameStart } from '../../src/models/pipe-frames.ts'

interface Plan {
  readonly head: object
  /** Lengths of the parts into which the reader takes the body. */
  readonly parts: readonly number[]
  readonly seed: number
}

const plan = fc.record({
  head: fc.dictionary(fc.string(), fc.oneof(fc.string({ unit: 'binary' }), fc.integer(), fc.constant(null))),
  parts: fc.array(fc.nat(70), { maxLength: 4 }),
  seed: fc.nat(255),
})

const bodyOf = ({ parts, seed }: Plan) =>
  Buffer.from(Array.from({ length: parts.reduce((sum, part) => sum + part, 0) }, (_, i) => (seed + i) % 256))

/** A reader that takes bodies apart as planned, and what it has read. */
function reading(plans: readonly Plan[]) {
  const read: { head: unknown; body: Buffer }[] = []
  let head: unknown
  let targets: Uint8Array[] = []
  const reader = new FrameReader({
    body(given, bodyBytes) {
      head = given
      targets = (plans[read.length]?.parts ?? [bodyBytes]).map(length => new Uint8Array(length))
      return targets
    },
    complete: () => void read.push({ head, body: Buffer.concat(targets) }),
  })
  return { reader, read }
}

const refusal = (text: string) => (error: Error) => error.message.includes(text)

describe('frames on a pipe', () => {
  test('come out as they went in, whatever portions the bytes come in, copied or read in place', () => {
    const cuts = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(fc.array(plan, { maxLength: 5 }), cuts, fc.boolean(), (plans, portions, inPlace) => {
        const bytes = Buffer.concat(plans.flatMap(each => [frameStart(each.head, bodyOf(each).length), bodyOf(each)]))
        const { reader, read } = reading(plans)
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const portion = bytes.subarray(at, at + portions[i % portions.length]!)
          const room = reader.room()
          assert.ok(room.length > 0)
          if (inPlace) {
            const length = portion.copy(room)
            reader.filled(length)
            at += length
          } else {
            reader.push(portion)
            at += portion.length
          }
        }
        reader.end()
        assert.deepEqual(
          read,
          plans.map(each => ({ head: JSON.parse(JSON.stringify(each.head)), body: bodyOf(each) })),
        )
      }),
    )
  })

  test('a pipe that ends in the midst of a frame is told from one that ends between two', () => {
    fc.assert(
      fc.property(plan, fc.nat(), (each, cut) => {
        const bytes = Buffer.concat([frameStart(each.head, bodyOf(each).length), bodyOf(each)])
        const { reader, read } = reading([each])
        const length = 1 + (cut % bytes.length)
        reader.push(bytes.subarray(0, length))
        if (length === bytes.length) reader.end()
        else assert.throws(() => reader.end(), refusal('in the'))
        assert.equal(read.length, length === bytes.length ? 1 : 0)
      }),
    )
  })

  test('lengths beyond the limits, an empty head and a head that is no JSON are refused, before memory is taken', () => {
    const prefix = (head: number, body: number) => {
      const bytes = Buffer.alloc(8)
      bytes.writeUInt32LE(head, 0)
      bytes.writeUInt32LE(body, 4)
      return bytes
    }
    for (const bytes of [prefix(2 ** 32 - 1, 0), prefix(0, 4), prefix(2, 2 ** 31), prefix(2 ** 28 + 1, 0)])
      assert.throws(() => reading([]).reader.push(bytes), refusal('refused: a frame with a head of'))
    assert.throws(() => reading([]).reader.push(Buffer.from([2, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x7b])), refusal('no JSON'))
  })

  test('what is too much for one frame is not sent, and not a bug: a smaller batch may do', () => {
    assert.throws(() => frameStart({}, 2 ** 31), { code: 'DEVICE_MEMORY' })
  })

  test('a body that has another length than the places for it is refused', () => {
    const { reader } = reading([{ head: {}, parts: [3, 4], seed: 0 }])
    assert.throws(() => reader.push(frameStart({}, 8)), refusal('a body of 8 bytes has room for 7'))
  })
})
