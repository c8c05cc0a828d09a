/** Texts that are to be JSON Schemas, of the project or out of a registry, and a value that must fit both. */
import type { RegisteredSchema, SchemaRegistryPort } from '../../src/kafka/codec.ts'
import { jsonSchema } from '../../src/kafka/json-codec.ts'
import { codecContext } from '../../test/support/codec-context.ts'
import { plainBlock } from '../../test/support/plain-block.ts'
import type { Target, TargetSource } from '../target.ts'

const SEEDS = [
  {
    schema: {
      type: 'object',
      properties: { a: { type: 'integer', minimum: 0 }, b: { $ref: '#/definitions/x' } },
      definitions: { x: { type: 'string' } },
    },
    value: { a: 1, b: 'x' },
  },
  {
    schema: {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      $defs: { n: { $anchor: 'n', type: 'number' } },
      prefixItems: [{ $ref: '#n' }],
      items: false,
    },
    value: [1],
  },
  {
    schema: {
      $schema: 'http://json-schema.org/draft-07/schema#',
      $id: 'https://a/b',
      anyOf: [{ const: 1 }, { not: { type: 'string' } }],
      if: false,
      else: { maxItems: 3 },
    },
    value: [[], {}],
  },
  {
    schema: {
      $schema: 'https://json-schema.org/draft/2019-09/schema',
      type: ['array', 'null'],
      contains: { type: 'object', required: ['x'], dependentRequired: { x: ['y'] } },
    },
    value: [{ x: 1, y: 2 }],
  },
  {
    schema: { type: 'object', properties: { next: { $ref: '#' } }, additionalProperties: false },
    value: { next: { next: {} } },
  },
]
const TOKENS = [
  '"type":',
  '"$ref":"#"',
  '"$ref":"#/properties/a"',
  '"$ref":"other.json"',
  '"$id":"x"',
  '"$schema":"draft"',
  '"$dynamicRef":"#"',
  '"enum":[',
  '"format":"date"',
  '"items":',
  '"allOf":[',
  '"not":{',
  '"const":',
  '"multipleOf":0',
  '"minimum":',
  '"maxLength":-1',
  '"required":[',
  '"__proto__":',
  '"constructor":',
  '{',
  '}',
  '[',
  ']',
  'true',
  'false',
  'null',
  '1e400',
  '"if":',
  '"discriminator":{}',
  '"$async":true,',
  '"unevaluatedProperties":false',
  '"propertyNames":',
  '\u0000',
].map(token => Buffer.from(token))
const OWN = JSON.stringify(SEEDS[0]!.schema)

async function run(bytes: Buffer): Promise<void> {
  const cut = bytes.indexOf(0)
  const schema = bytes.toString('utf8', 0, cut < 0 ? bytes.length : cut)
  const value = Buffer.concat([Buffer.of(0, 0, 0, 0, 1), cut < 0 ? Buffer.from('{}') : bytes.subarray(cut + 1)])
  const registered: RegisteredSchema = { type: 'JSON', schema, references: [] }
  const registry = { schemaById: async () => registered } as unknown as SchemaRegistryPort
  const block = plainBlock([{ value }])
  for (const own of [OWN, schema]) {
    const decoder = await jsonSchema('x').openDecoder(codecContext(registry, { readSchema: async () => own }))
    await decoder.prepare?.(block)
    decoder.decode(block.bytes, block.valueStart(0), block.valueEnd(0))
  }
}

export const jsonSchemas: TargetSource = {
  name: 'json-schemas',
  about:
    'texts of JSON Schemas, of the project and out of a registry, and a value that must fit them (slow: each is compiled)',
  short: 1_000,
  open: (): Target => ({
    seeds: SEEDS.map(({ schema, value }) => Buffer.from(`${JSON.stringify(schema)}\0${JSON.stringify(value)}`)),
    tokens: TOKENS,
    codes: ['TOPOLOGY_INVALID', 'DECODE_SCHEMA', 'DECODE_MALFORMED'],
    run,
  }),
}
