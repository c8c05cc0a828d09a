/** JSON keys and values: text that is none, numbers that no number holds, nesting without end, values that a schema refuses. */
import { isDeepStrictEqual } from 'node:util'
import { json as jsonCodec } from '../../src/kafka/json-codec.ts'
import { utf8 } from '../../src/kafka/plain-codecs.ts'
import { codecContext } from '../../test/support/codec-context.ts'
import { must, type Target, type TargetSource } from '../target.ts'

const SCHEMA = JSON.stringify({
  type: 'object',
  properties: {
    name: { type: 'string', minLength: 1 },
    list: { type: 'array', items: { type: 'number' }, maxItems: 5, uniqueItems: true },
    kind: { enum: ['a', 'b', null] },
    next: { $ref: '#' },
    either: { oneOf: [{ type: 'string' }, { type: 'integer' }] },
  },
  required: ['name'],
  additionalProperties: false,
})
const TOKENS = [
  '{',
  '}',
  '[',
  ']',
  '[[[[',
  ',',
  ':',
  '"',
  '\\u0000',
  '\\ud800',
  '\\',
  '\ufeff',
  '\u2028',
  'null',
  'true',
  '-0',
  '1e999',
  '1E+400',
  '-1e-999',
  '9007199254740993',
  '12345678901234567890',
  '0.1',
  '"name"',
  '"list"',
  '"kind"',
  '"next":{',
  '"either"',
  '"__proto__":',
  '"toJSON"',
  '"constructor"',
  ' ',
].map(token => Buffer.from(token))
const SEEDS = [
  '{"name":"n","list":[1,2.5,-3e2],"kind":"a","next":{"name":"m","either":5}}',
  '[1,"two",null,true,{"three":[3,[4]]}]',
  '"text \\u00e9 \\n é"',
  '{"id":9007199254740993,"big":1e308}',
  '-12.5e-3',
]

export const json: TargetSource = {
  name: 'json',
  about: 'JSON text and plain text, with and without a JSON Schema',
  async open(): Promise<Target> {
    const context = codecContext(undefined, { readSchema: async () => SCHEMA })
    const codecs = await Promise.all(
      [
        jsonCodec<unknown>(),
        jsonCodec<unknown>({ longs: 'bigint' }),
        jsonCodec<unknown>({ schema: 's' }),
        jsonCodec<unknown>({ schema: 's', longs: 'bigint' }),
        utf8(),
      ].map(async codec => ({ decoder: await codec.openDecoder(context), encoder: await codec.openEncoder(context) })),
    )
    return {
      seeds: SEEDS.flatMap(text => codecs.map((_, i) => Buffer.concat([Buffer.of(i), Buffer.from(text)]))),
      tokens: TOKENS,
      codes: ['DECODE_MALFORMED', 'DECODE_SCHEMA'],
      run(bytes) {
        const kind = (bytes[0] ?? 0) % codecs.length
        const { decoder, encoder } = codecs[kind]!
        const start = Math.min(1, bytes.length)
        const value = decoder.decode(bytes, start, bytes.length)
        if (kind === 0)
          must(isDeepStrictEqual(value, JSON.parse(bytes.toString('utf8', start))), 'JSON.parse reads the same')
        const into = Buffer.alloc(6 * bytes.length + 64)
        const end = encoder.encode(value as never, into, 3)
        must(end >= 3, 'what was read is not much longer when it is written')
        must(isDeepStrictEqual(decoder.decode(into, 3, end), value), 'written again, a value is the same')
      },
    }
  },
}
