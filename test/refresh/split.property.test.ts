import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { RunInferenceError } from '../../src/errors.ts'
import { murmur2Partition } from '../../src/kafka/murmur2.ts'
import { encodeFailure } from '../../src/pipeline/dead-letter.ts'
import { PartitionFlow } from '../../src/pipeline/partition-flow.ts'
import { Split } from '../../src/refresh/split.ts'
import { header } from '../support/replays.ts'
import { blockOf, flowOf, type SourceRecord, sourceRecord, workOf } from '../support/work-blocks.ts'

const anyKey = fc.uint8Array({ maxLength: 3_000 }).map(bytes => Buffer.from(bytes))
const anySalt = fc.string({ unit: 'grapheme', maxLength: 20 })
const anyPercent = fc.integer({ min: 1, max: 10_000 }).map(hundredths => hundredths / 100)

/** S1, as its words have it. */
function isIn(salt: string, key: Buffer, percent: number): boolean {
  const digits = createHash('sha256').update(salt).update(key).digest('hex').slice(0, 8)
  return Number.parseInt(digits, 16) % 10_000 < Math.round(percent * 100)
}

const hasKey = (split: Split, key: Buffer) => split.hasKey(key, 0, key.length)
const keysOf = (count: number, prefix = 'key') => Array.from({ length: count }, (_, i) => Buffer.from(`${prefix}-${i}`))

/** Work on one record, read from this partition. */
function work(record: Partial<SourceRecord>, topic: string, partition = 0, replay = false, between = false) {
  const block = blockOf([sourceRecord(record.offset ?? 0, record)], { topic, partition })
  const flow = new PartitionFlow({ topic, partition, epoch: 1, position: 0 }, replay, between)
  return workOf(block, flow)
}

/** What a dead letter of this record brings along into the replay topic. */
function replayOf(failed: ReturnType<typeof work>, offset: number, between = false) {
  const point = { topic: 't.s.failed-inference', stage: 'inference' as const, step: 's', node: 'step s', listeners: [] }
  const error = new RunInferenceError('INFERENCE_FAILED', 'no')
  const { headers } = encodeFailure('app', 1, failed, 0, { point, index: -1, error, modelId: 'm' }, 1_000_000)
  return work({ offset, key: failed.block.key(0), headers }, 'app.in.replay', 0, true, between)
}

describe('the share of the keys that a candidate has', () => {
  it('S1: is the salted hash of the key, below the percentage', () => {
    const any = fc.tuple(anySalt, anyKey, anyPercent)
    fc.assert(
      fc.property(any, ([salt, key, percent]) => {
        assert.equal(hasKey(new Split({ salt, percent }), key), isIn(salt, key, percent))
      }),
      { numRuns: 500 },
    )
  })

  it('S1: never becomes another one', () => {
    const split = new Split({ salt: 'salz', percent: 10 })
    const chosen = keysOf(60).filter(key => hasKey(split, key))
    assert.deepEqual(chosen.map(String), CHOSEN)
  })

  it('S1: the least share is one in ten thousand, the greatest is all', () => {
    const keys = keysOf(20_000)
    const countAt = (percent: number) => {
      const split = new Split({ salt: 's', percent })
      return keys.filter(key => hasKey(split, key)).length
    }
    const least = countAt(0.01)
    assert.ok(least > 0 && least < 15, `${least} of 20,000`)
    assert.equal(countAt(100), keys.length)
    // 0.07 × 100 is more than 7 in floating point, 0.29 × 100 less than 29.
    for (const percent of [0.07, 0.29, 0.57]) {
      assert.equal(countAt(percent), keys.filter(key => isIn('s', key, percent)).length)
    }
  })

  it('S2: a key anywhere in a buffer is the same key, also a long one between short ones', () => {
    const around = fc.uint8Array({ maxLength: 40 }).map(bytes => Buffer.from(bytes))
    fc.assert(
      fc.property(anySalt, anyPercent, fc.array(fc.tuple(around, anyKey)), (salt, percent, keys) => {
        const split = new Split({ salt, percent })
        for (const [before, key] of keys) {
          const bytes = Buffer.concat([before, key, before])
          const start = before.length
          assert.equal(split.hasKey(bytes, start, start + key.length), isIn(salt, key, percent))
        }
      }),
    )
  })

  it('S2: rows of blocks are chosen by their key, without one by their position, in whatever order they are asked', () => {
    const rows = fc.array(fc.option(anyKey), { minLength: 1, maxLength: 8 })
    const asked = fc.array(fc.tuple(fc.boolean(), fc.nat(7)), { maxLength: 30 })
    fc.assert(
      fc.property(anySalt, anyPercent, rows, asked, fc.nat(9), (salt, percent, keys, order, partition) => {
        const split = new Split({ salt, percent })
        const worksOf = (topic: string) => {
          const records = keys.map((key, i) => sourceRecord(3 * i, { key }))
          return workOf(blockOf(records, { topic, partition }), flowOf(topic, partition))
        }
        const works = [worksOf('in'), worksOf('other')]
        for (const [isOther, at] of order) {
          const row = at % keys.length
          const each = works[Number(isOther)]!
          const key = keys[row] ?? Buffer.from(`${each.block.topic}/${partition}/${3 * row}`)
          assert.equal(split.has(each, row), isIn(salt, key, percent))
        }
      }),
    )
  })

  it('S2: an empty key is a key', () => {
    const salt = 's'
    const empty = isIn(salt, Buffer.alloc(0), 50)
    const split = new Split({ salt, percent: 50 })
    for (let offset = 0; offset < 40; offset++) {
      assert.equal(split.has(work({ offset, key: Buffer.alloc(0) }, 'in'), 0), empty)
    }
  })

  it('S3: a replay, and a replay of what fails again, is chosen as the record was', () => {
    const keys = fc.option(anyKey)
    fc.assert(
      fc.property(anySalt, keys, fc.nat(1e6), fc.nat(1e6), fc.nat(20), (salt, key, offset, later, partition) => {
        const split = new Split({ salt, percent: 50 })
        const first = work({ offset, key }, 'in', partition)
        const again = replayOf(first, later)
        const third = replayOf(again, later + 1)
        assert.equal(split.has(first, 0), isIn(salt, key ?? Buffer.from(`in/${partition}/${offset}`), 50))
        assert.deepEqual([split.has(again, 0), split.has(third, 0)], [split.has(first, 0), split.has(first, 0)])
      }),
    )
  })

  it('S3: what a topic between two parts brings is chosen by where the first part read it, replayed or not', () => {
    fc.assert(
      fc.property(anySalt, fc.nat(1e6), fc.nat(1e6), (salt, origin, offset) => {
        const split = new Split({ salt, percent: 50 })
        const headers = [header('kri-origin', `in/4/${origin}`)]
        const between = work({ offset, headers }, 'between', 1, false, true)
        const expected = isIn(salt, Buffer.from(`in/4/${origin}`), 50)
        assert.deepEqual([split.has(between, 0), split.has(replayOf(between, 7, true), 0)], [expected, expected])
      }),
    )
  })

  it("S3: headers of ours in somebody else's topic do not count", () => {
    for (let offset = 0; offset < 40; offset++) {
      const pretended = [
        header('kri-origin', 'in/0/1'),
        header('kri-original-topic', 'in'),
        header('kri-original-partition', '0'),
        header('kri-original-offset', '1'),
      ]
      const split = new Split({ salt: 's', percent: 50 })
      assert.equal(
        split.has(work({ offset, headers: pretended }, 'in'), 0),
        isIn('s', Buffer.from(`in/0/${offset}`), 50),
      )
    }
  })

  it('S4: a greater percentage adds keys, and takes none away', () => {
    fc.assert(
      fc.property(anySalt, anyPercent, anyPercent, fc.array(anyKey, { maxLength: 50 }), (salt, a, b, keys) => {
        const [less, more] = [Math.min(a, b), Math.max(a, b)].map(percent => new Split({ salt, percent }))
        for (const key of keys) assert.ok(!hasKey(less!, key) || hasKey(more!, key))
      }),
    )
  })

  const COUNT = 4_000
  it('S4: another salt chooses anew: two salts agree as often as chance has it', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.uuid(), { minLength: 2, maxLength: 2 }), anyPercent, ([a, b], percent) => {
        const [one, other] = [a!, b!].map(salt => new Split({ salt, percent }))
        const both = keysOf(COUNT).filter(key => hasKey(one!, key) && hasKey(other!, key)).length
        within(both, COUNT, (percent / 100) ** 2)
      }),
      { numRuns: 5 },
    )
  })

  it('S5: every partition gives its share, however many there are', () => {
    fc.assert(
      fc.property(fc.uuid(), anyPercent, fc.integer({ min: 1, max: 12 }), (salt, percent, partitions) => {
        const split = new Split({ salt, percent })
        const all = new Array<number>(partitions).fill(0)
        const chosen = new Array<number>(partitions).fill(0)
        for (const key of keysOf(COUNT, salt)) {
          const partition = murmur2Partition(key, 0, key.length, partitions)
          all[partition]!++
          if (hasKey(split, key)) chosen[partition]!++
        }
        for (let i = 0; i < partitions; i++) within(chosen[i]!, all[i]!, percent / 100)
      }),
      { numRuns: 8 },
    )
  })
})

/** Within six standard deviations, which chance leaves about once in 500 million. */
function within(found: number, of: number, share: number): void {
  const off = Math.abs(found - of * share)
  assert.ok(off <= 6 * Math.sqrt(of * share * (1 - share)) + 4, `${found} of ${of}, expected a share of ${share}`)
}

/** Worked out with another implementation. */
const CHOSEN = ['key-5', 'key-9', 'key-35', 'key-37', 'key-54']
