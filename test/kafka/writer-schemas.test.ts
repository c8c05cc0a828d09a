// What is remembered of schemas that cannot be read, however many there are.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import { avro } from '../../src/kafka/avro-codec.ts'
import type { SchemaRegistryPort } from '../../src/kafka/codec.ts'
import { codecContext } from '../support/codec-context.ts'
import { plainBlock } from '../support/plain-block.ts'

const AVRO = JSON.stringify({ type: 'record', name: 'R', fields: [{ name: 'n', type: 'int' }] })
/** The registry has it, and it cannot be read. */
const BROKEN = 1
const REMEMBERED = 10_000

async function setUp() {
  const asked: number[] = []
  const registry = {
    schemaById: async (id: number) => {
      asked.push(id)
      if (id === BROKEN) return { type: 'AVRO', schema: '{"type":', references: [] }
      throw new RunInferenceError('DECODE_UNKNOWN_SCHEMA', `there is no ${id}`)
    },
  } as unknown as SchemaRegistryPort
  const decoder = await avro('r').openDecoder(codecContext(registry, { readSchema: async () => AVRO }))
  const blockOf = (ids: readonly number[]) => {
    const values = ids.map(id => {
      const value = Buffer.alloc(6)
      value.writeInt32BE(id, 1)
      return { value }
    })
    return plainBlock(values)
  }
  /** What each value of a block ends as. */
  const codes = async (ids: readonly number[]) => {
    const block = blockOf(ids)
    await decoder.prepare?.(block)
    const found = ids.map((_, i) => {
      try {
        decoder.decode(block.bytes, block.valueStart(i), block.valueEnd(i))
      } catch (error) {
        return (error as RunInferenceError).code
      }
      return 'read'
    })
    return { found, isPrepared: decoder.prepare?.(block) === undefined }
  }
  return { asked, codes }
}

suite('schemas that cannot be read', () => {
  test('say why, also when more of them than are remembered come with other ones (found by fuzzing wire-format)', async () => {
    const { codes } = await setUp()
    const others = Array.from({ length: REMEMBERED - 1 }, (_, i) => 100 + i)
    await codes([BROKEN])
    for (let from = 0; from < others.length; from += 1_000) await codes(others.slice(from, from + 1_000))
    const { found, isPrepared } = await codes([BROKEN, 99_999])
    assert.deepEqual(found, ['DECODE_SCHEMA', 'DECODE_UNKNOWN_SCHEMA'])
    assert.equal(isPrepared, true)
  })

  test('say why in one block with more of them than are remembered', async () => {
    const { codes } = await setUp()
    const many = Array.from({ length: REMEMBERED + 500 }, (_, i) => 100 + i)
    const { found } = await codes([BROKEN, ...many])
    assert.equal(found[0], 'DECODE_SCHEMA')
  })

  test('are forgotten, the oldest first, when there are too many', async () => {
    const { asked, codes } = await setUp()
    await codes([BROKEN])
    await codes(Array.from({ length: REMEMBERED + 500 }, (_, i) => 100 + i))
    await codes([BROKEN])
    assert.equal(asked.filter(id => id === BROKEN).length, 2)
  })
})
