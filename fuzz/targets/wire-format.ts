/** Values with a schema id in front: several in a block, with ids that the registry knows, does not know, or knows as something else. */
import { RunInferenceError } from '../../src/errors.ts'
import { avro } from '../../src/kafka/avro-codec.ts'
import type { RegisteredSchema, SchemaRegistryPort } from '../../src/kafka/codec.ts'
import { jsonSchema } from '../../src/kafka/json-codec.ts'
import { readSchemaId, schemaPrefixed } from '../../src/kafka/wire-format.ts'
import { codecContext } from '../../test/support/codec-context.ts'
import { plainBlock } from '../../test/support/plain-block.ts'
import { must, type TargetSource } from '../target.ts'

const AVRO = JSON.stringify({ type: 'record', name: 'R', fields: [{ name: 'n', type: 'int' }] })
const OLDER = JSON.stringify({
  type: 'record',
  name: 'R',
  fields: [
    { name: 'n', type: 'int' },
    { name: 'gone', type: 'string' },
  ],
})
const MISFIT = JSON.stringify({ type: 'record', name: 'R', fields: [{ name: 'n', type: 'string' }] })
const JSON_SCHEMA = JSON.stringify({ type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] })
const SCHEMAS: readonly RegisteredSchema[] = [
  { type: 'AVRO', schema: AVRO, references: [] },
  { type: 'AVRO', schema: OLDER, references: [] },
  { type: 'AVRO', schema: MISFIT, references: [] },
  { type: 'AVRO', schema: '{"type":', references: [] },
  { type: 'PROTOBUF', schema: 'syntax = "proto3";', references: [] },
  { type: 'JSON', schema: JSON_SCHEMA, references: [] },
]

/** Each may have an id of its own, and be asked for. */
const MOST_VALUES = 500

/** Lengths and values, one behind the other; a length of 255 is null. */
function valuesIn(bytes: Buffer): readonly (Buffer | null)[] {
  const values: (Buffer | null)[] = []
  for (let at = 1; at < bytes.length && values.length < MOST_VALUES; ) {
    const length = bytes[at++]!
    if (length === 0xff) values.push(null)
    else {
      values.push(bytes.subarray(at, at + length))
      at += length
    }
  }
  return values
}

function inputOf(kind: number, ...values: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.of(kind), ...values.flatMap(value => [Buffer.of(value.length), value])])
}

const framed = (id: number, value: Buffer | string) => Buffer.concat([Buffer.of(0, 0, 0, 0, id), Buffer.from(value)])

export const wireFormat: TargetSource = {
  name: 'wire-format',
  about: 'schema ids in front of values, and what a registry says of them',
  async open() {
    let asked = 0
    const registry = {
      schemaById: async (id: number) => {
        asked++
        const schema = SCHEMAS[id - 1]
        if (schema !== undefined) return schema
        throw new RunInferenceError('DECODE_UNKNOWN_SCHEMA', `there is no ${id}`)
      },
    } as unknown as SchemaRegistryPort
    const context = codecContext(registry, {
      readSchema: async (_name, type) => (type === 'AVRO' ? AVRO : JSON_SCHEMA),
    })
    const open = [() => avro('r').openDecoder(context), () => jsonSchema('r').openDecoder(context)]
    const raw = schemaPrefixed<Buffer>(7, (value, into, at) => {
      if (at + value.length > into.length) return -Math.max(1, value.length)
      return at + value.copy(into, at)
    })
    const decoders = await Promise.all(open.map(opened => opened()))
    return {
      seeds: [
        inputOf(0, framed(1, Buffer.of(2)), framed(2, Buffer.of(2, 2, 65)), framed(1, Buffer.of(8))),
        inputOf(1, framed(6, '{"n":1}'), framed(6, '{"n":2,"more":[]}')),
        inputOf(0, framed(1, Buffer.of(2)), framed(2, Buffer.of(2, 2, 65)), framed(3, Buffer.of(2, 65))),
        inputOf(0, framed(4, 'x'), framed(5, 'x'), framed(6, '{"n":1}'), framed(99, 'x'), Buffer.from('plain')),
        inputOf(1, framed(6, '{"n":1}'), framed(6, '{"n":"1"}'), framed(1, Buffer.of(2)), Buffer.of(0, 0)),
      ],
      tokens: [framed(1, ''), framed(2, ''), framed(6, ''), Buffer.of(0xff), Buffer.from('{"n":')],
      codes: ['DECODE_MAGIC_BYTE', 'DECODE_UNKNOWN_SCHEMA', 'DECODE_SCHEMA', 'DECODE_MALFORMED'],
      async run(bytes) {
        const values = valuesIn(bytes)
        const block = plainBlock(values.map(value => ({ value })))
        const decoder = decoders[(bytes[0] ?? 0) % decoders.length]!
        asked = 0
        await decoder.prepare?.(block)
        must(asked <= values.length, 'the registry is asked once for an id, at most')
        must(decoder.prepare?.(block) === undefined, 'what was prepared lacks nothing')
        let failure: unknown
        for (const [i, value] of values.entries()) {
          if (value === null) continue
          checkPrefix(value)
          try {
            decoder.decode(block.bytes, block.valueStart(i), block.valueEnd(i))
          } catch (error) {
            failure ??= error
          }
        }
        if (failure !== undefined) throw failure
      },
    }

    function checkPrefix(value: Buffer): void {
      const into = Buffer.alloc(value.length + 7)
      const end = raw.encode(value, into, 2)
      must(end === into.length && readSchemaId(into, 2, end, context) === 7, 'an id that was written is read')
      must(into.subarray(7).equals(value), 'what stands behind an id is as it was')
      const needed = raw.encode(value, into.subarray(0, end - 1), 2)
      must(needed < 0 && -needed <= value.length + 6, 'what does not fit is told')
    }
  },
}
