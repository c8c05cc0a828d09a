import { RunInferenceError } from '../errors.ts'
import type { Codec } from './codec.ts'
import { readUtf8, writeUtf8 } from './utf8-text.ts'

/** Text. Bytes that are not UTF-8 are refused (DECODE_MALFORMED): replacing them would change keys silently. */
export function utf8(): Codec<string> {
  return {
    label: 'utf8',
    openDecoder: async ({ topic, field }) => ({
      decode: (bytes, start, end) => {
        const text = readUtf8(bytes, start, end)
        if (text !== undefined) return text
        throw new RunInferenceError('DECODE_MALFORMED', `The ${field} on topic ${topic} is not UTF-8 text`)
      },
    }),
    openEncoder: async ({ topic, field }) => ({
      encode: (value, into, at) => {
        if (typeof value !== 'string') throw mismatch(field, topic, 'a string', value)
        if (!value.isWellFormed()) throw mismatch(field, topic, 'a string without lone surrogates', value)
        return writeUtf8(value, into, at)
      },
    }),
  }
}

/** Bytes as they stand: decoding gives a view of the block that is valid until the functions that get it return. */
export function bytes(): Codec<Uint8Array> {
  return {
    label: 'bytes',
    openDecoder: async () => ({ decode: (block, start, end) => block.subarray(start, end) }),
    openEncoder: async ({ topic, field }) => ({
      encode: (value, into, at) => {
        if (!(value instanceof Uint8Array)) throw mismatch(field, topic, 'a Uint8Array', value)
        if (value.length > into.length - at) return -value.length
        into.set(value, at)
        return at + value.length
      },
    }),
  }
}

function mismatch(field: string, topic: string, expected: string, got: unknown): RunInferenceError {
  const kind = got === null ? 'null' : typeof got
  return new RunInferenceError('ENCODE_SCHEMA', `The ${field} for topic ${topic}: expected ${expected}, got ${kind}`)
}
