// All that stops consumers elsewhere, in one partition, one behind the other: each harms only itself.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { avro, from, topology, utf8 } from 'kafka-run-inference'
import type { Codec } from '../../src/kafka/codec.ts'
import type { Header } from '../../src/kafka/record-block.ts'
import type { InputRecord } from '../../src/testing/index.ts'
import { feed, onDriver } from '../support/on-driver.ts'

const SCHEMA = JSON.stringify({ type: 'record', name: 'Measure', fields: [{ name: 'n', type: 'long' }] })

const measure = avro<{ n: number }>('measure')
const measures: Codec<{ n: number }> = {
  ...measure,
  schemas: [],
  openDecoder: context => measure.openDecoder({ ...context, readSchema: async () => SCHEMA }),
  // Values are piped in as bytes.
  openEncoder: async () => ({ encode: () => 0 }),
}

describe('poison records', () => {
  const graph = topology('p', [
    from('in', { key: utf8(), value: measures })
      .map(({ value }) => String(value.n))
      .to('out', utf8()),
  ])

  it('become one dead letter each, byte for byte, and every neighbour is an output', async () => {
    await onDriver(graph, async driver => {
      const id = await driver.registry.register('in-value', SCHEMA)
      const framed = (n: Buffer, schemaId = id) => Buffer.concat([Buffer.of(0, 0, 0, 0, schemaId), n])
      const poison: [code: string, value: Buffer | null][] = [
        ['TOMBSTONE', null],
        ['DECODE_UNKNOWN_SCHEMA', framed(Buffer.of(2), 99)],
        ['DECODE_MAGIC_BYTE', Buffer.from('{"n":1}')],
        ['DECODE_MAGIC_BYTE', Buffer.alloc(0)],
        // 2^53 + 1, zig-zag: a number would be rounded.
        ['DECODE_MALFORMED', framed(Buffer.from('8280808080808020', 'hex'))],
        ['DECODE_MALFORMED', framed(Buffer.alloc(10, 0xff))],
        ['DECODE_MALFORMED', framed(Buffer.of(0x80))],
      ]
      const headers: readonly Header[] = [
        ['none', null],
        ['trace', Buffer.from('t')],
        ['none', null],
      ]
      const good = (n: number): InputRecord => ({ key: Buffer.from(`k${n}`), value: framed(Buffer.of(2 * n)), headers })
      const records = poison.flatMap(([, value], i): InputRecord[] => [
        good(i),
        { key: Buffer.from('bad'), value, headers },
      ])
      await feed(driver, [...records, good(poison.length)])

      const outputs = await driver.read('out')
      assert.deepEqual(
        outputs.map(({ value }) => value),
        Array.from({ length: poison.length + 1 }, (_, i) => String(i)),
      )
      const letters = await driver.read('p.failed-preprocess')
      assert.deepEqual(
        letters.map(({ headers: { 'kri-code': code } }) => code),
        poison.map(([code]) => code),
      )
      assert.deepEqual(
        letters.map(({ bytes }) => bytes),
        poison.map(([, value]) => value),
      )
      for (const record of [...outputs, ...letters])
        assert.deepEqual(
          [record.headers.none, record.headers.trace],
          [null, 't'],
          'a null header is carried over as null',
        )
      assert.deepEqual(await driver.port.admin.committed('p', 'in'), [records.length + 1])
    })
  })
})
