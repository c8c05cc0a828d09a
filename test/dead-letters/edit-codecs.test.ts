// JSON does not tell types: what was edited is written with those that it had.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openEditField } from '../../src/dead-letters/edit-codecs.ts'
import { float32, from, int64, json, utf8 } from '../../src/index.ts'
import type { Codec } from '../../src/kafka/codec.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'

async function field(value: Codec<never>) {
  const { node } = from('in', { key: utf8(), value })
  const parts = { registry: undefined, readSchema: async () => '', logger: silentLogger, clock: createManualClock() }
  return openEditField(node as never, 'value', parts)
}

describe('a field that is edited', () => {
  it('of raw rows is a list of numbers, each checked for its type', async () => {
    const floats = await field(float32(3) as never)
    const before = Buffer.from(new Float32Array([1, 2, 3]).buffer)
    assert.deepEqual(floats.show(before), { json: [1, 2, 3] })
    assert.deepEqual(floats.encode([1, 0.5, 3], before), Buffer.from(new Float32Array([1, 0.5, 3]).buffer))
    for (const wrong of [
      [1, 'x', 3],
      [1, 2],
      [1, 2, 1e300],
    ])
      assert.throws(() => floats.encode(wrong, before), /./)
    const longs = await field(int64(1) as never)
    const long = Buffer.from(new BigInt64Array([2n ** 60n]).buffer)
    assert.deepEqual(longs.show(long), { json: [String(2n ** 60n)] })
    assert.deepEqual(
      longs.encode([String(2n ** 60n + 1n)], long),
      Buffer.from(new BigInt64Array([2n ** 60n + 1n]).buffer),
    )
  })

  it('with long integers keeps them', async () => {
    const values = await field(json({ longs: 'bigint' }) as never)
    const before = Buffer.from('{"id":9007199254740993,"name":"a"}')
    const { json: shown } = values.show(before)
    assert.deepEqual(shown, { id: '9007199254740993', name: 'a' })
    assert.equal(
      String(values.encode({ id: '9007199254740995', name: 'b' }, before)),
      '{"id":9007199254740995,"name":"b"}',
    )
  })

  it('may be bytes as they are, or nothing', async () => {
    const texts = await field(utf8() as never)
    assert.deepEqual(texts.encode({ base64: 'aGk=' }, null), Buffer.from('hi'))
    assert.equal(texts.encode(null, Buffer.from('x')), null)
    assert.deepEqual(texts.show(Buffer.from([255])).json, { base64: '/w==' })
    assert.match(texts.show(Buffer.from([255])).undecoded ?? '', /UTF-8/)
  })
})
