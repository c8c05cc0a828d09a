/** Avro schemas to fuzz with: what the values are read as, what they were written with, and a value of the latter. */
import type { AvroOptions } from '../../src/kafka/avro-types.ts'

export interface SchemaPair {
  readonly reader: unknown
  readonly writer: unknown
  readonly options?: AvroOptions
  readonly values: readonly unknown[]
}

const record = (name: string, fields: Readonly<Record<string, unknown>>) => ({
  type: 'record',
  name,
  fields: Object.entries(fields).map(([field, type]) =>
    typeof type === 'object' && type !== null && 'is' in type
      ? { name: field, ...type, type: type.is }
      : { name: field, type },
  ),
})
const list = (items: unknown) => ({ type: 'array', items })
const map = (values: unknown) => ({ type: 'map', values })
const logical = (type: string, logicalType: string, more: object = {}) => ({ type, logicalType, ...more })

const scalars = record('Scalars', {
  flag: 'boolean',
  int: 'int',
  long: 'long',
  float: 'float',
  double: 'double',
  text: 'string',
  raw: 'bytes',
  fixed: { is: { type: 'fixed', name: 'Four', size: 4 } },
  kind: { is: { type: 'enum', name: 'Kind', symbols: ['A', 'B', 'C'] } },
  maybe: ['null', 'string'],
})
const scalarValue = {
  flag: true,
  int: -5,
  long: 2 ** 40,
  float: 0.5,
  double: 1e300,
  text: 'text ü',
  raw: Buffer.from('raw'),
  fixed: Buffer.from('four'),
  kind: 'B',
  maybe: 'there',
}
const times = record('Times', {
  date: { is: logical('int', 'date') },
  ms: { is: logical('long', 'timestamp-millis') },
  us: { is: logical('long', 'timestamp-micros') },
  time: { is: logical('int', 'time-millis') },
  micro: { is: logical('long', 'time-micros') },
  local: { is: logical('long', 'local-timestamp-millis') },
  id: { is: logical('string', 'uuid') },
  price: { is: logical('bytes', 'decimal', { precision: 9, scale: 2 }) },
})
const timesValue = {
  date: '2024-05-01',
  ms: new Date(1_700_000_000_000),
  us: '2024-05-01T13:45:00.123456Z',
  time: '13:45:00.123',
  micro: '13:45:00.123456',
  local: '2024-05-01T13:45:00.123',
  id: '01234567-89ab-cdef-0123-456789abcdef',
  price: '-12.30',
}
const node = {
  type: 'record',
  name: 'Node',
  fields: [
    { name: 'value', type: 'int' },
    { name: 'next', type: ['null', 'Node'] },
  ],
}
const tree = { type: 'record', name: 'Tree', fields: [{ name: 'children', type: list('Tree') }] }

const same = (schema: unknown, values: readonly unknown[], options?: AvroOptions): SchemaPair => ({
  reader: schema,
  writer: schema,
  values,
  ...(options ? { options } : {}),
})

export const PAIRS: readonly SchemaPair[] = [
  same(scalars, [scalarValue]),
  same(scalars, [{ ...scalarValue, long: -(2n ** 60n) }], { longs: 'bigint' }),
  same(
    record('Lists', {
      ints: { is: list('int') },
      floats: { is: list('float') },
      texts: { is: list('string') },
      deep: { is: list(list(list('long'))) },
      map: { is: map(map('double')) },
    }),
    [{ ints: [1, 300, -70000], floats: [0.5, -1], texts: ['a', 'bc'], deep: [[[1], []], []], map: { a: { b: 1 } } }],
  ),
  same(list('null'), [[null, null, null]]),
  same(list(record('Empty', {})), [[{}, {}]]),
  same(map('bytes'), [{ a: Buffer.from('x') }]),
  same(node, [{ value: 1, next: { value: 2, next: null } }]),
  same(tree, [{ children: [{ children: [] }, { children: [{ children: [] }] }] }]),
  same(times, [timesValue]),
  same(record('Unions', { any: ['null', 'int', 'string', list('int'), 'Unions'] }), [
    { any: { any: [1, 2] } },
    { any: 'x' },
  ]),
  // What other versions have written.
  {
    writer: record('V', { gone: { is: list(map('string')) }, kept: 'int', old: 'string', wide: 'int' }),
    reader: record('V', {
      kept: 'long',
      fresh: { is: 'string', default: 'new' },
      renamed: { is: 'bytes', aliases: ['old'] },
      wide: 'double',
    }),
    values: [{ gone: [{ a: 'b' }, {}], kept: 7, old: 'text', wide: 3 }],
  },
  {
    writer: record('W', { maybe: 'int', items: { is: list(node) }, skipped: ['null', 'W'] }),
    reader: record('W', { maybe: ['null', 'long', 'string'], items: { is: list(node) } }),
    values: [{ maybe: 5, items: [{ value: 1, next: null }], skipped: { maybe: 1, items: [], skipped: null } }],
  },
]
