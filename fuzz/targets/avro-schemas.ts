/** Texts that are to be Avro schemas: of the project, or out of a registry, with a value behind. */
import { avro } from '../../src/kafka/avro-codec.ts'
import { avroWriter, compileAvro } from '../../src/kafka/avro-types.ts'
import { typesOf } from '../../src/kafka/avro-typescript.ts'
import type { RegisteredSchema, SchemaRegistryPort } from '../../src/kafka/codec.ts'
import { codecContext } from '../../test/support/codec-context.ts'
import { plainBlock } from '../../test/support/plain-block.ts'
import type { Target, TargetSource } from '../target.ts'
import { PAIRS } from './avro-pairs.ts'

const TOKENS = [
  '"type":',
  '"record"',
  '"fields":[',
  '"name":',
  '"items":',
  '"array"',
  '"map"',
  '"values":',
  '"union"',
  '"null"',
  '"fixed"',
  '"size":',
  '2147483647',
  '-1',
  '1e9',
  '1e308',
  '"enum"',
  '"symbols":[',
  '"default":',
  '"aliases":["x"]',
  '"logicalType":',
  '"decimal"',
  '"precision":',
  '"scale":',
  '"timestamp-millis"',
  '"__proto__"',
  '"constructor"',
  '"toString"',
  '"namespace":"a.b"',
  '"order":"ignore"',
  '[[',
  '{"type":',
  '{}',
  '[]',
  'null',
  'true',
  '"R"',
  '"int"',
  '"long"',
  '"string"',
  '"bytes"',
  '"doc":"*/"',
  '"error"',
  ',',
  '\u0000',
].map(token => Buffer.from(token))

const OWN = JSON.stringify(PAIRS[0]!.reader)

/** Each schema, a zero byte, and a value of it. */
const SEEDS = PAIRS.flatMap(({ reader, writer, options, values }) => {
  const into = Buffer.alloc(4096)
  const text = JSON.stringify(writer)
  const write = avroWriter(compileAvro(text, options))
  const written = values.map(value =>
    Buffer.concat([Buffer.from(`${text}\0`), into.subarray(0, write(value, into, 0))]),
  )
  return reader === writer ? written : [...written, Buffer.from(`${JSON.stringify(reader)}\0\x02\x04`)]
})

async function run(bytes: Buffer): Promise<void> {
  const cut = bytes.indexOf(0)
  const schema = bytes.toString('utf8', 0, cut < 0 ? bytes.length : cut)
  const value = Buffer.concat([Buffer.of(0, 0, 0, 0, 1), cut < 0 ? Buffer.alloc(0) : bytes.subarray(cut + 1)])
  const registered: RegisteredSchema = { type: 'AVRO', schema, references: [] }
  const registry = { schemaById: async () => registered } as unknown as SchemaRegistryPort
  const block = plainBlock([{ value }])
  const decode = async (own: string) => {
    const decoder = await avro('x').openDecoder(codecContext(registry, { readSchema: async () => own }))
    await decoder.prepare?.(block)
    return () => decoder.decode(block.bytes, block.valueStart(0), block.valueEnd(0))
  }
  const asWriters = await decode(OWN)
  try {
    asWriters()
  } catch (error) {
    if (!isDecoding(error)) throw error
  }
  const asOwn = await decode(schema)
  typesOf([{ file: 'x.avsc', schema }])
  asOwn()
}

function isDecoding(error: unknown): boolean {
  return String((error as { code?: string }).code).startsWith('DECODE_')
}

export const avroSchemas: TargetSource = {
  name: 'avro-schemas',
  about: 'texts of Avro schemas, of the project and out of a registry, and a value that one of them wrote',
  open: (): Target => ({
    seeds: SEEDS,
    tokens: TOKENS,
    codes: ['TOPOLOGY_INVALID', 'DECODE_SCHEMA', 'DECODE_MALFORMED'],
    run,
  }),
}
