import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { suite, test } from 'node:test'

const folder = new URL('../../schemas/', import.meta.url)
const types = readFileSync(new URL('types.ts', folder), 'utf8')

/** How a schema's types are written in TypeScript. Floats may be given as the view that a model's output is. */
function typescriptOf(type: unknown): string {
  if (type === 'string') return 'string'
  if (type === 'int' || type === 'float' || type === 'double') return 'number'
  if (type !== null && typeof type === 'object' && 'items' in type) {
    return type.items === 'float' ? 'number[] | Float32Array' : `${typescriptOf(type.items)}[]`
  }
  throw new Error(`no TypeScript type is agreed on for ${JSON.stringify(type)}`)
}

suite('schemas/types.ts', () => {
  for (const file of readdirSync(folder).filter(name => name.endsWith('.avsc'))) {
    test(`is equal to ${file}`, () => {
      const schema = JSON.parse(readFileSync(new URL(file, folder), 'utf8'))
      const body = new RegExp(`export interface ${schema.name} \\{\\n([^}]*)\\}`).exec(types)?.[1]
      assert.ok(body, `there is an interface ${schema.name}`)
      const declared = body
        .split('\n')
        .map(line => line.trim())
        .filter(line => line !== '' && !line.startsWith('/**'))
      assert.deepEqual(
        declared,
        schema.fields.map((field: { name: string; type: unknown }) => `${field.name}: ${typescriptOf(field.type)}`),
      )
    })
  }
})
