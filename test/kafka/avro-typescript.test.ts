import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { suite, test } from 'node:test'
import { typesOf } from '../../src/kafka/avro-typescript.ts'

const filesOf = (folder: URL) =>
  readdirSync(folder)
    .filter(name => name.endsWith('.avsc'))
    .sort()
    .map(file => ({ file, schema: readFileSync(new URL(file, folder), 'utf8') }))
const everyType = filesOf(new URL('../support/schemas/', import.meta.url))
const record = (name: string, type: unknown, more: object = {}) =>
  JSON.stringify({ type: 'record', name, namespace: 'a', fields: [{ name: 'x', type }], ...more })

suite('TypeScript of Avro schemas', () => {
  // The second folder has a field of every type, and a property test whose values the compiler holds against it.
  for (const folder of ['../../schemas/', '../support/schemas/']) {
    test(`${folder.slice(6)}types.ts is what its schemas say`, () => {
      const url = new URL(folder, import.meta.url)
      assert.equal(readFileSync(new URL('types.ts', url), 'utf8'), typesOf(filesOf(url)))
    })
  }

  test('the options of avro() change the types that they change', () => {
    const changed = (options: Parameters<typeof typesOf>[1]) => {
      const usual = typesOf(everyType).split('\n')
      const other = typesOf(everyType, options).split('\n')
      return other.filter((line, i) => line !== usual[i]).map(line => line.trim())
    }
    assert.deepEqual(changed({ longs: 'bigint' }), [
      'large: bigint',
      'counts: Record<string, bigint>',
      'unknownUnit: bigint',
    ])
    const clocks = ['day', 'clock', 'fineClock', 'at', 'fineAt', 'local', 'fineLocal'].map(name => `${name}: number`)
    const raw = [...clocks, 'price: Buffer', 'fixedPrice: Buffer', 'seen: null | number']
    assert.deepEqual(changed({ logicalTypes: 'raw' }), raw)
  })

  test('docs/codecs.md says what each logical type is', () => {
    const page = readFileSync(new URL('../../docs/codecs.md', import.meta.url), 'utf8')
    const rows = [...page.matchAll(/^\| `([\w-]+)` \| `(\w+)` \| `(\w+)` \| `(\w+)` \|/gm)]
    const table = new Map(rows.map(([, name, type, ...forms]) => [name!, { type, forms }]))
    const known = everyType[0]!.schema.matchAll(/"logicalType": "([\w-]+)"/g)
    const names = new Set([...known].map(([, name]) => name!).filter(name => name !== 'of-the-future'))
    assert.deepEqual([...table.keys()].sort(), [...names].sort())
    for (const [logicalType, { type, forms }] of table) {
      const schema = record('R', { type, logicalType, precision: 4, scale: 2 })
      const declared = (['values', 'raw'] as const).map(logicalTypes => {
        return /x: (\w+)/.exec(typesOf([{ file: 'r.avsc', schema }], { logicalTypes }))![1]
      })
      assert.deepEqual(declared, forms, logicalType)
    }
  })

  test('a type that several schemas declare is declared once, and two of one name are refused', () => {
    const point = { type: 'record', name: 'Point', fields: [{ name: 'x', type: 'int' }] }
    const files = ['From', 'To'].map(name => ({ file: `${name}.avsc`, schema: record(name, point) }))
    assert.deepEqual(typesOf(files).match(/export interface \w+/g), [
      'export interface From',
      'export interface Point',
      'export interface To',
    ])
    const other = { file: 'Other.avsc', schema: record('Other', { ...point, namespace: 'b' }) }
    assert.throws(() => typesOf([...files, other]), {
      code: 'TOPOLOGY_INVALID',
      message: /From\.avsc \(a\.Point\) and Other\.avsc \(b\.Point\) declare different types named Point: rename one/,
    })
  })

  test('a file that is no schema is named', () => {
    const file = { file: 'no.avsc', schema: '{"type":"nothing"}' }
    assert.throws(() => typesOf([file]), { code: 'TOPOLOGY_INVALID', message: /no\.avsc is not an Avro schema/ })
  })

  test('a record or enum without a name is refused, wherever it stands', () => {
    for (const nameless of [
      { type: 'record', fields: [] },
      { type: 'enum', symbols: ['A'] },
    ]) {
      const file = { file: 'no.avsc', schema: JSON.stringify({ type: 'array', items: nameless }) }
      assert.throws(() => typesOf([file]), { code: 'TOPOLOGY_INVALID', message: /no\.avsc.*has no name/ })
    }
  })
})
