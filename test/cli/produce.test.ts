import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { from, topology } from 'kafka-run-inference'
import { encodeLine } from '../../src/cli/produce-lines.ts'
import { type LineRecord, sendRecords } from '../../src/cli/produce-records.ts'
import { sourceOf } from '../../src/cli/produce-source.ts'
import type { Encoder, RowEncoder } from '../../src/kafka/codec.ts'
import { json } from '../../src/kafka/json-codec.ts'
import { murmur2Partition } from '../../src/kafka/murmur2.ts'
import type { KafkaWriter } from '../../src/kafka/port.ts'
import type { SealedBatch } from '../../src/kafka/record-batch-builder.ts'
import { float32, int64, type TensorCodec, uint8 } from '../../src/kafka/tensor-codec.ts'
import { codecContext } from '../support/codec-context.ts'

const text: RowEncoder<unknown> = {
  encode(value, into, at) {
    const bytes = Buffer.from(String((value as { text?: string }).text ?? value))
    if (at + bytes.length > into.length) return -bytes.length
    bytes.copy(into, at)
    return at + bytes.length
  },
}

/** Refuses every batch that holds one of these values. */
function writerRefusing(...values: readonly string[]): KafkaWriter & { readonly sent: SealedBatch[] } {
  const sent: SealedBatch[] = []
  return {
    sent,
    async send(batches) {
      return batches.map(batch => {
        if (values.some(value => batch.bytes.includes(value))) return { outcome: 'refused', reason: 'too bad' } as const
        sent.push(batch)
        return { outcome: 'acknowledged', baseOffset: 0 } as const
      })
    },
    topic: async () => ({ partitions: 3, maxMessageBytes: 1_048_588 }),
    close: async () => {},
  }
}

const topic = { name: 't', partitions: 3 }
const record = (line: number, value: string, key: string | null = `key-${line}`): LineRecord => ({
  line,
  key: key === null ? null : Buffer.from(key),
  value: Buffer.from(value),
})

describe('produce', () => {
  test('goes to the only source that the topology does not write itself, where none is named', () => {
    const cut = from('in', json()).through('between', json()).to('out', json())
    const one = topology('one', [cut])
    assert.equal(sourceOf(one, undefined, 'one.ts').topic, 'in')
    assert.equal(sourceOf(one, 'between', 'one.ts').topic, 'between')
    const two = topology('two', [cut, from('also', json()).to('out', json())])
    assert.throws(() => sourceOf(two, undefined, 'two.ts'), /--source: expected one of .*\(.*in.*also.*\), got nothing/)
    assert.throws(() => sourceOf(one, 'out', 'one.ts'), /got "out"/)
  })

  test('every record is counted as acknowledged or refused, whatever batch it was in', async () => {
    const records = Array.from({ length: 100 }, (_, i) => record(i + 1, `<value ${i + 1}>`))
    const writer = writerRefusing('<value 7>', '<value 8>', '<value 93>')
    const { acknowledged, refused } = await sendRecords(records, topic, writer)
    assert.equal(acknowledged, 97)
    assert.deepEqual(
      refused.map(({ line }) => line).sort((a, b) => a - b),
      [7, 8, 93],
    )
    assert.equal(refused[0]!.reason, 'too bad')
    assert.equal(
      writer.sent.reduce((sum, batch) => sum + batch.count, 0),
      97,
    )
  })

  test('a record goes where any Kafka client would send its key', async () => {
    const writer = writerRefusing()
    await sendRecords([record(1, 'v', 'some key')], topic, writer)
    assert.equal(writer.sent[0]!.partition, murmur2Partition(Buffer.from('some key'), 0, 8, 3))
  })

  test('records without a key are spread over all partitions', async () => {
    const writer = writerRefusing()
    await sendRecords(
      [1, 2, 3, 4, 5, 6].map(line => record(line, 'v', null)),
      topic,
      writer,
    )
    assert.deepEqual(writer.sent.map(({ partition, count }) => [partition, count]).sort(), [
      [0, 2],
      [1, 2],
      [2, 2],
    ])
  })

  test('large records are cut into several batches, and none is lost', async () => {
    const writer = writerRefusing()
    const large = Array.from({ length: 5 }, (_, i) => record(3 * i, 'x'.repeat(400_000), null))
    const { acknowledged } = await sendRecords(large, topic, writer)
    assert.equal(acknowledged, 5)
    assert.ok(writer.sent.every(({ bytes }) => bytes.length <= 900_000))
    assert.equal(
      writer.sent.reduce((sum, batch) => sum + batch.count, 0),
      5,
    )
  })

  test('a line becomes key and value; what is wrong with it is said', () => {
    const encoder = { value: text, key: undefined, keyField: 'id' }
    const { key, value, line } = encodeLine('{"id":17,"text":"hello"}', 3, encoder)
    assert.deepEqual([key?.toString(), value.toString(), line], ['17', 'hello', 3])
    assert.equal(encodeLine('{"id":17}', 1, { ...encoder, keyField: undefined }).key, null)
    assert.throws(() => encodeLine('{"text":"hello"}', 1, encoder), /\[KEY_MISSING\] the line has no field "id"/)
    assert.throws(() => encodeLine('{', 1, encoder), SyntaxError)
  })

  test('a source with a key codec needs the name of the field, or everything would be dead letters', () => {
    const encoder = { value: text, key: text, keyLabel: 'utf8', keyField: undefined }
    assert.throws(
      () => encodeLine('{"id":17,"text":"hello"}', 1, encoder),
      /\[SETTINGS_INVALID\] the source has a key codec, utf8: .* --key-field <name>, one of: id, text$/,
    )
  })

  test('numbers in arrays are a row of a raw tensor codec; what is no number of its type is said', async () => {
    const context = codecContext(undefined)
    const line = async (codec: TensorCodec<'float32'> | TensorCodec<'int64'> | TensorCodec<'uint8'>, text: string) => {
      const value = (await codec.openEncoder(context)) as RowEncoder<unknown>
      return encodeLine(text, 1, { value, key: undefined, keyField: undefined }).value
    }
    const floats = await line(float32(2, 2), '[[1, 2.5], [3, 4]]')
    assert.deepEqual([...new Float32Array(Uint8Array.from(floats).buffer)], [1, 2.5, 3, 4])
    const longs = await line(int64(2), '[-1, 9007199254740991]')
    assert.deepEqual([longs.readBigInt64LE(0), longs.readBigInt64LE(8)], [-1n, 9_007_199_254_740_991n])
    await assert.rejects(line(float32(2), '[1, "2"]'), /\[ENCODE_SCHEMA\] number 1: expected float32, got "2"/)
    await assert.rejects(line(uint8(2), '[1, 256]'), /number 1: expected uint8, got 256/)
    await assert.rejects(line(uint8(2), '[1, 1.5]'), /number 1: expected uint8, got 1.5/)
    await assert.rejects(line(float32(2), '[1]'), /expected a Float32Array of/)
  })

  test('an integer beyond 2^53 is written as it stands, or refused', async () => {
    const context = codecContext(undefined)
    const line = async (codec: Encoder<never>, text: string) => {
      const value = (await codec.openEncoder(context)) as RowEncoder<unknown>
      return encodeLine(text, 1, { value, key: undefined, keyField: undefined }).value
    }
    assert.equal((await line(int64(1), '[9223372036854775807]')).readBigInt64LE(0), 2n ** 63n - 1n)
    await assert.rejects(line(int64(1), '[9223372036854775808]'), /number 0: expected int64, got 9223372036854775808/)
    const id = '{"id":9007199254740993}'
    assert.equal(String(await line(json({ longs: 'bigint' }), id)), id)
    await assert.rejects(line(json(), id), /\[ENCODE_SCHEMA\] .*field id/)
  })

  test('a value that is larger than the first buffer is written whole', () => {
    const long = 'x'.repeat(100_000)
    const { value } = encodeLine(JSON.stringify({ text: long }), 1, {
      value: text,
      key: undefined,
      keyField: undefined,
    })
    assert.equal(value.toString(), long)
  })
})
