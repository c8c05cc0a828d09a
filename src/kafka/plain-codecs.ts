import { RunInferenceError } from '../errors.ts'
import type { Codec } from './codec.ts'

/** Text. Bytes that are not UTF-8 are refused (DECODE_MALFORMED): replacing them would change keys silently. */
export function utf8(): Codec<string> {
  return {
    label: 'utf8',
    openDecoder: async ({ topic, field }) => {
      const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
      return {
        decode: (bytes, start, end) => {
          const text = bytes.toString('utf8', start, end)
          // The replacement character is the sign of bytes that were not UTF-8, unless somebody really sent it.
          if (!text.includes('\ufffd')) return text
          try {
            return decoder.decode(bytes.subarray(start, end))
          } catch (cause) {
            throw new RunInferenceError('DECODE_MALFORMED', `The ${field} on topic ${topic} is not UTF-8 text`, {
              cause,
            })
          }
        },
      }
    },
    openEncoder: async ({ topic, field }) => ({
      encode: (value, into, at) => {
        if (typeof value !== 'string') throw mismatch(field, topic, 'a string', value)
        if (!value.isWellFormed()) throw mismatch(field, topic, 'a string without lone surrogates', value)
        const room = into.length - at
        // A character takes at most three bytes per UTF-16 unit: only a text that might not fit is measured.
        if (value.length * 3 > room) {
          const needed = Buffer.byteLength(value)
          if (needed > room) return -needed
        }
        return at + into.write(value, at)
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
