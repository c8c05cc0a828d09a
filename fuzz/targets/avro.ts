/** Avro values: hostile bytes against types whose work is bounded, also through the resolvers of other versions. */
import { isDeepStrictEqual } from 'node:util'
import avsc from 'avsc'
import { avroReader, avroWriter, compileAvro } from '../../src/kafka/avro-types.ts'
import { must, type TargetSource } from '../target.ts'
import { PAIRS, type SchemaPair } from './avro-pairs.ts'

const MAX_WRITTEN = 4 * 1024 * 1024

function opened({ reader, writer, options, values }: SchemaPair) {
  const text = JSON.stringify(reader)
  const own = compileAvro(text, options)
  const writers = compileAvro(JSON.stringify(writer), { logicalTypes: 'raw' })
  const isSame = text === JSON.stringify(writer)
  const write = avroWriter(own)
  // Values of logical types and BigInts are ours.
  const original =
    isSame && options === undefined && !text.includes('logicalType') ? avsc.Type.forSchema(reader as never) : undefined
  const writeValue = avroWriter(compileAvro(JSON.stringify(writer), options))
  const into = Buffer.alloc(4096)
  return {
    read: avroReader(own, writers),
    readOwn: avroReader(own, own),
    write,
    original,
    seeds: values.map(value => Buffer.from(into.subarray(0, writeValue(value, into, 0)))),
  }
}

/** What is nested deeper than this can be compared was read and written, and that is all that is asked of it. */
function isSame(one: unknown, other: unknown): boolean {
  try {
    return isDeepStrictEqual(one, other)
  } catch (error) {
    if (error instanceof RangeError) return true
    throw error
  }
}

export const avro: TargetSource = {
  name: 'avro',
  about: 'Avro values of many types, written with the same schema or another version of it',
  open() {
    const pairs = PAIRS.map(opened)
    const room = Buffer.alloc(64 * 1024)
    const written = (write: (value: unknown, into: Buffer, at: number) => number, value: unknown): Buffer => {
      const end = write(value, room, 0)
      if (end >= 0) return room.subarray(0, end)
      must(-end <= MAX_WRITTEN, 'a value is not much larger than what it was read from')
      const larger = Buffer.alloc(-end)
      return larger.subarray(0, write(value, larger, 0))
    }
    return {
      seeds: pairs.flatMap(({ seeds }, i) => seeds.map(seed => Buffer.concat([Buffer.of(i), seed]))),
      codes: ['DECODE_MALFORMED'],
      run(bytes) {
        const { read, readOwn, write, original } = pairs[(bytes[0] ?? 0) % pairs.length]!
        const start = Math.min(1, bytes.length)
        const value = read(bytes, start, bytes.length)
        const again = Buffer.from(written(write, value))
        const once = readOwn(again, 0, again.length)
        must(isSame(once, value), 'written again, a value is the same')
        if (original === undefined) return
        const theirs = original.toBuffer(original.fromBuffer(bytes.subarray(start)))
        // Numbers that are none differ in bits that no value has.
        must(theirs.equals(again) || isSame(readOwn(theirs, 0, theirs.length), value), 'avsc reads the same')
      },
    }
  },
}
