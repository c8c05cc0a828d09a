import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import type { Codec, Encoder } from '../../src/kafka/codec.ts'
import { inference } from '../../src/kafka/inference-codec.ts'
import { bytes, utf8 } from '../../src/kafka/plain-codecs.ts'
import { float32, float64, int32, int64, uint8 } from '../../src/kafka/tensor-codec.ts'
import { codecContext } from '../support/codec-context.ts'

const context = codecContext(undefined)
const code =
  (expected: string, what = /./) =>
  (error: unknown) => {
    const { code, message } = error as { code?: string; message: string }
    assert.equal(code, expected, message)
    assert.match(message, what)
    return true
  }

async function encoded<T>(codec: Encoder<T>, value: T): Promise<Buffer> {
  const encoder = await codec.openEncoder(context)
  const needed = encoder.encode(value, Buffer.alloc(0), 0)
  assert.ok(needed <= 0, 'nothing fits into no room')
  const buffer = Buffer.alloc(3 - needed)
  const end = encoder.encode(value, buffer, 3)
  assert.equal(end, buffer.length, 'the size it asked for is the size it takes')
  if (needed < 0) assert.equal(encoder.encode(value, buffer.subarray(0, -1), 3), needed)
  return buffer.subarray(3)
}

async function decoded<T>(codec: Codec<T>, value: Buffer, at = 1): Promise<T> {
  const around = Buffer.alloc(at + value.length + 2, 0xff)
  value.copy(around, at)
  return (await codec.openDecoder(context)).decode(around, at, at + value.length)
}

suite('plain codecs', () => {
  test('text of any kind comes back as it was', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async text => {
        if (!text.isWellFormed()) return
        assert.equal(await decoded(utf8(), await encoded(utf8(), text)), text)
      }),
    )
    for (const text of ['', '\ufffd', '\ufeffwith a mark', 'é€😀']) {
      assert.equal(await decoded(utf8(), await encoded(utf8(), text)), text)
    }
  })

  test('what is not text is refused, both ways', async () => {
    await assert.rejects(decoded(utf8(), Buffer.of(0x61, 0xff)), code('DECODE_MALFORMED', /not UTF-8/))
    const encoder = await utf8().openEncoder(context)
    assert.throws(() => encoder.encode(7 as never, Buffer.alloc(9), 0), code('ENCODE_SCHEMA', /a string, got number/))
    assert.throws(() => encoder.encode('\ud800', Buffer.alloc(9), 0), code('ENCODE_SCHEMA', /lone surrogates/))
  })

  test('bytes are bytes', async () => {
    const value = Buffer.from('00ff10', 'hex')
    assert.deepEqual(await decoded(bytes(), await encoded(bytes(), value)), value)
    assert.equal((await decoded(bytes(), Buffer.alloc(0))).length, 0)
    const encoder = await bytes().openEncoder(context)
    assert.throws(
      () => encoder.encode('x' as never, Buffer.alloc(9), 0),
      code('ENCODE_SCHEMA', /Uint8Array, got string/),
    )
  })
})

suite('tensor codecs', () => {
  test('rows of every type come back as they were, aligned or not', async () => {
    for (const at of [1, 2, 4, 8, 16]) {
      const floats = Float32Array.of(0.1, -1e-30, Number.NaN)
      assert.deepEqual(await decoded(float32(3), await encoded(float32(3), floats), at), floats)
      const doubles = Float64Array.of(Math.PI)
      assert.deepEqual(await decoded(float64(), await encoded(float64(), doubles), at), doubles)
      const small = Uint8Array.of(1, 255)
      assert.deepEqual(new Uint8Array(await decoded(uint8(2), await encoded(uint8(2), small), at)), small)
      const ints = Int32Array.of(1, -2, 3, 4)
      assert.deepEqual(await decoded(int32(2, 2), await encoded(int32(2, 2), ints), at), ints)
      const longs = BigInt64Array.of(-(2n ** 63n))
      assert.deepEqual(await decoded(int64(1), await encoded(int64(1), longs), at), longs)
    }
  })

  test('a float32 is four bytes, little-endian', async () => {
    assert.equal((await encoded(float32(1), Float32Array.of(1))).toString('hex'), '0000803f')
  })

  test('an aligned row is a view of the block, not a copy', async () => {
    const block = Buffer.from(new ArrayBuffer(16))
    const row = (await float32(2).openDecoder(context)).decode(block, 8, 16)
    assert.equal(row.buffer, block.buffer)
  })

  test('another number of bytes is DECODE_SIZE', async () => {
    await assert.rejects(
      decoded(float32(2, 3), Buffer.alloc(25)),
      code('DECODE_SIZE', /expected 6 elements of 4 bytes for float32\[2,3\], got 25 bytes/),
    )
    await assert.rejects(decoded(float32(), Buffer.alloc(0)), code('DECODE_SIZE'))
    await assert.rejects(decoded(float32(null, 2), Buffer.alloc(12)), code('DECODE_SIZE', /multiple of 2/))
    assert.equal((await decoded(float32(null, 2), Buffer.alloc(16))).length, 4)
  })

  test('another type or size is ENCODE_SCHEMA', async () => {
    const encoder = await float32(2).openEncoder(context)
    const room = Buffer.alloc(99)
    assert.throws(
      () => encoder.encode(Float64Array.of(1, 2) as never, room, 0),
      code('ENCODE_SCHEMA', /a Float32Array of 2 elements, got Float64Array of 2/),
    )
    assert.throws(() => encoder.encode(Float32Array.of(1), room, 0), code('ENCODE_SCHEMA', /got Float32Array of 1/))
    assert.throws(() => encoder.encode([1, 2] as never, room, 0), code('ENCODE_SCHEMA', /got object/))
  })

  test('a codec is the declaration of a tensor, and says so to the engine only when its size is fixed', async () => {
    assert.deepEqual([float32(8, 8).dtype, float32(8, 8).shape], ['float32', [8, 8]])
    assert.deepEqual((await float32(64).openDecoder(context)).tensor, { dtype: 'float32', shape: [64] })
    assert.equal((await float32(null).openDecoder(context)).tensor, undefined)
    assert.throws(() => float32(0), code('TOPOLOGY_INVALID', /got 0/))
    assert.throws(() => float32(2.5), code('TOPOLOGY_INVALID'))
  })
})

suite('inference codec', () => {
  const result = (inference: unknown) => ({ example: null, inference, modelId: 'm' }) as never
  const label = BigInt64Array.of(3n)
  const scores = Float32Array.of(0.25, 0.75)

  test('writes the tensor itself, the named output, or the first of the type', async () => {
    const expected = Buffer.from(scores.buffer)
    assert.deepEqual(await encoded(inference(), result(scores)), expected)
    assert.deepEqual(await encoded(inference(float32(2)), result({ label, scores })), expected)
    assert.deepEqual(await encoded(inference(float32(2), 'scores'), result({ label, scores })), expected)
    assert.deepEqual(await encoded(inference(), result({ label, scores })), Buffer.from(label.buffer))
  })

  test('refuses what is not there or does not fit', async () => {
    await assert.rejects(
      encoded(inference(float32(2), 'probabilities'), result({ label, scores })),
      code('ENCODE_SCHEMA', /an output named probabilities, got outputs label, scores/),
    )
    await assert.rejects(encoded(inference(float64(2)), result({ label })), code('ENCODE_SCHEMA', /type float64/))
    await assert.rejects(encoded(inference(float32(3)), result({ scores })), code('ENCODE_SCHEMA', /3 elements/))
  })

  test('tells the engine which output it copies', async () => {
    assert.deepEqual(inference().inferenceOf, { output: undefined, tensor: undefined })
    assert.deepEqual(inference(float32(2), 'scores').inferenceOf, {
      output: 'scores',
      tensor: { dtype: 'float32', shape: [2] },
    })
    assert.deepEqual((await inference(float32(2)).openEncoder(context)).tensor, { dtype: 'float32', shape: [2] })
  })
})
