import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { avro } from '../../src/kafka/avro-codec.ts'
import { avroReader, avroWriter, compileAvro } from '../../src/kafka/avro-types.ts'
import { createMemoryRegistry } from '../../src/testing/memory-registry.ts'
import { codecContext } from '../support/codec-context.ts'
import { plainBlock } from '../support/plain-block.ts'

interface Field {
  readonly name: string
  readonly type: unknown
  readonly value: unknown
}
interface Change {
  readonly type: unknown
  /** What a value of the old type is in the new one. */
  readonly from: (value: never) => unknown
}

const record = (name: string, fields: readonly object[], more: object = {}) =>
  JSON.stringify({ type: 'record', name, namespace: 'kri.test', fields, ...more })
const field = ({ name, type }: Field, more: object = {}) => ({ name, type, ...more })

function transferred(writer: string, reader: string, value: unknown): Record<string, unknown> {
  const bytes = Buffer.alloc(10_000)
  const end = avroWriter(compileAvro(writer))(value, bytes, 0)
  const read = avroReader(compileAvro(reader), compileAvro(writer, { logicalTypes: 'raw' }))
  return { ...(read(bytes, 0, end) as object) }
}

/** An integer that is read as a float keeps its digits: a number has room for them. */
const same = (value: unknown) => value
/** Types with values, and the wider types that such values may be read as. */
const TYPES: readonly {
  readonly type: unknown
  readonly values: fc.Arbitrary<unknown>
  readonly wider: readonly Change[]
}[] = [
  {
    type: 'int',
    values: fc.integer(),
    wider: [
      { type: 'long', from: same },
      { type: 'float', from: same },
      { type: 'double', from: same },
      { type: ['null', 'long'], from: same },
    ],
  },
  {
    type: 'long',
    values: fc.integer(),
    wider: [
      { type: 'float', from: same },
      { type: 'double', from: same },
    ],
  },
  { type: 'float', values: fc.float({ noNaN: true }), wider: [{ type: 'double', from: same }] },
  {
    type: 'string',
    values: fc.string(),
    wider: [
      { type: 'bytes', from: (text: string) => Buffer.from(text) },
      { type: ['null', 'string'], from: same },
    ],
  },
  { type: 'bytes', values: fc.string().map(text => Buffer.from(text)), wider: [{ type: 'string', from: String }] },
  { type: 'boolean', values: fc.boolean(), wider: [{ type: ['boolean', 'null'], from: same }] },
  {
    type: { type: 'array', items: 'int' },
    values: fc.array(fc.integer()),
    wider: [{ type: { type: 'array', items: 'double' }, from: same }],
  },
  {
    type: { type: 'map', values: 'int' },
    values: fc.constant({ a: 1, b: -2 }),
    wider: [{ type: { type: 'map', values: 'long' }, from: (map: object) => Object.assign(Object.create(null), map) }],
  },
]
const asRead = ({ type, value }: Field) =>
  JSON.stringify(type).includes('"map"') ? Object.assign(Object.create(null), value) : value

const fields: fc.Arbitrary<Field[]> = fc
  .array(
    fc.constantFrom(...TYPES).chain(({ type, values }) => values.map(value => ({ type, value }))),
    { maxLength: 8 },
  )
  .map(list => list.map(({ type, value }, i) => ({ name: `f${i}`, type, value })))

suite('Avro evolution', () => {
  test('whatever is dropped, added, renamed, widened and moved: each field has the value that the specification says', () => {
    const kinds = fc.constantFrom('keep', 'drop', 'rename', 'widen')
    const plan = fc.record({
      fields,
      kinds: fc.infiniteStream(kinds),
      picks: fc.infiniteStream(fc.nat()),
      added: fc.nat(3),
    })
    fc.assert(
      fc.property(plan, ({ fields, kinds, picks, added }) => {
        const writer = record(
          'Old',
          fields.map(one => field(one)),
        )
        const expected: Record<string, unknown> = {}
        const kept = fields.flatMap(one => {
          const kind = kinds.next().value
          if (kind === 'drop') return []
          if (kind === 'rename') {
            expected[`new_${one.name}`] = asRead(one)
            return [field({ ...one, name: `new_${one.name}` }, { aliases: [one.name] })]
          }
          const changes = TYPES.find(({ type }) => type === one.type)!.wider
          const change = kind === 'widen' ? changes[picks.next().value % changes.length] : undefined
          expected[one.name] = change ? change.from(one.value as never) : asRead(one)
          return [change ? { name: one.name, type: change.type } : field(one)]
        })
        for (let i = 0; i < added; i++) {
          kept.push({ name: `added${i}`, type: 'string', default: `default ${i}` } as never)
          expected[`added${i}`] = `default ${i}`
        }
        // Any order: fields are found by name.
        const moved = kept
          .map(one => [picks.next().value, one] as const)
          .sort(([a], [b]) => a - b)
          .map(([, one]) => one)
        const reader = record('New', moved, { aliases: ['kri.test.Old'] })
        const value = Object.fromEntries(fields.map(({ name, value }) => [name, value]))
        assert.deepEqual(transferred(writer, reader, value), expected)
      }),
      { numRuns: 300 },
    )
  })

  test('a namespace may change, a symbol that is new to the reader is its default', () => {
    const colours = (symbols: string[], more: object = {}) => ({ type: 'enum', name: 'Colour', symbols, ...more })
    const writer = record('R', [{ name: 'colour', type: colours(['RED', 'BLUE']) }])
    const reader = record('R', [{ name: 'colour', type: colours(['GREY', 'RED'], { default: 'GREY' }) }], {
      namespace: 'b',
    })
    assert.deepEqual(transferred(writer, reader, { colour: 'BLUE' }), { colour: 'GREY' })
    assert.deepEqual(transferred(writer, reader, { colour: 'RED' }), { colour: 'RED' })
  })

  test('values are never read in another unit than they were written in', () => {
    const at = (logicalType?: string, more: object = {}) =>
      record('R', [{ name: 'at', type: logicalType ? { type: 'long', logicalType, ...more } : 'long' }])
    const money = (scale: number, precision = 9) =>
      record('R', [{ name: 'at', type: { type: 'bytes', logicalType: 'decimal', precision, scale } }])
    for (const [writer, reader, what] of [
      [at('timestamp-micros'), at('timestamp-millis'), /written as timestamp-micros, read as timestamp-millis/],
      [at('timestamp-millis'), at('local-timestamp-millis'), /read as local-timestamp-millis/],
      [money(2), money(3), /decimal\(9, 2\), read as decimal\(9, 3\)/],
    ] as const) {
      for (const logicalTypes of ['values', 'raw'] as const) {
        const types = [compileAvro(reader, { logicalTypes }), compileAvro(writer, { logicalTypes: 'raw' })] as const
        assert.throws(() => avroReader(...types), { message: what })
      }
    }
    // What the writer does not call a unit, the reader may; and the other way round.
    assert.deepEqual(transferred(at(), at('timestamp-millis'), { at: 5 }), { at: new Date(5) })
    assert.deepEqual(transferred(at('timestamp-millis'), at(), { at: new Date(5) }), { at: 5 })
    assert.deepEqual(transferred(at('timestamp-millis'), at('timestamp-millis', { doc: 'x' }), { at: new Date(5) }), {
      at: new Date(5),
    })
  })

  test('a schema that does not fit is a dead letter that names both; another kind of schema, too', async () => {
    const own = record('Loan', [{ name: 'id', type: 'string' }])
    const registry = createMemoryRegistry()
    const ids = {
      needs: await registry.register('s', record('Loan', [{ name: 'number', type: 'string' }])),
      type: await registry.register('s', record('Loan', [{ name: 'id', type: 'double' }])),
      other: await registry.register('s', record('Deposit', [{ name: 'id', type: 'string' }])),
      json: await registry.register('s', '{"type":"object"}', 'JSON'),
      broken: await registry.register('s', '{"type":"nothing"}'),
      newer: await registry.register(
        's',
        record(
          'Loan',
          ['id', 'more'].map(name => ({ name, type: 'string' })),
        ),
      ),
    }
    const context = codecContext(registry, { topic: 'loans', readSchema: async () => own })
    const decoder = await avro<{ id: string }>('loan').openDecoder(context)
    const read = async (id: number) => {
      const bytes = Buffer.from([0, 0, 0, 0, id, 2, 0x41, 2, 0x42])
      await decoder.prepare!(plainBlock([{ value: bytes }]))
      return decoder.decode(bytes, 0, bytes.length)
    }
    for (const [id, what] of [
      [ids.needs, /id 1, kri\.test\.Loan, which cannot be read as kri\.test\.Loan: no matching field .*Loan\.id/],
      [ids.type, /cannot be read as kri\.test\.Loan: cannot read "double" as "string"/],
      [ids.other, /kri\.test\.Deposit, which cannot be read as kri\.test\.Loan: no alias found/],
      [ids.json, /expected an Avro schema, got JSON/],
      [ids.broken, /schema id 5, which is not a schema that can be used: unknown type/],
    ] as const) {
      await assert.rejects(read(id), (error: { code?: string; message: string }) => {
        assert.equal(error.code, 'DECODE_SCHEMA')
        assert.match(error.message, what)
        return true
      })
    }
    assert.deepEqual({ ...(await read(ids.newer)) }, { id: 'A' })
  })

  test('types that a schema only refers to are found', async () => {
    const registry = createMemoryRegistry()
    const point = record('Point', [{ name: 'x', type: 'int' }])
    const schema = record('Line', [{ name: 'from', type: 'kri.test.Point' }])
    registry.schemaById = async () => ({
      type: 'AVRO',
      schema,
      references: [{ name: 'kri.test.Point', schema: point }],
    })
    const own = record('Line', [{ name: 'from', type: JSON.parse(point) }])
    const decoder = await avro<{ from: { x: number } }>('line').openDecoder(
      codecContext(registry, { readSchema: async () => own }),
    )
    const bytes = Buffer.from([0, 0, 0, 0, 9, 14])
    await decoder.prepare!(plainBlock([{ value: bytes }]))
    assert.equal(decoder.decode(bytes, 0, bytes.length).from.x, 7)
  })
})
