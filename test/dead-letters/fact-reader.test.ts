// Our headers of one record after the other: F1, F2.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { deadLetterOf } from '../../src/dead-letters/dead-letter.ts'
import { FactReader } from '../../src/dead-letters/fact-reader.ts'
import * as headers from '../../src/kafka/headers.ts'
import { readRecordBlock } from '../../src/kafka/record-batch-reader.ts'
import type { Header, RecordBlock } from '../../src/kafka/record-block.ts'
import { sealedBatch, storedBatch } from '../support/record-batches.ts'

const KNOWN: readonly string[] = Object.values(headers).filter(name => name !== headers.KRI_PREFIX)

function blockOf(rows: readonly (readonly Header[])[]): RecordBlock {
  const records = rows.map(own => ({ timestamp: 1, key: null, value: null, headers: own }))
  const { bytes } = sealedBatch(records)
  return readRecordBlock({
    ...{ topic: 't', partition: 0, records: storedBatch(bytes, {}), startOffset: 0, endOffset: rows.length },
  })
}

/** What all headers say, parsed. */
function parsed(block: RecordBlock, row: number) {
  const values = new Map(block.headers(row).map(([name, value]) => [name, value?.toString() ?? '']))
  const whole = (name: string) => {
    const text = values.get(name) ?? ''
    return /^-?\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : null
  }
  return KNOWN.map(name => [values.has(name), values.get(name) ?? null, whole(name)])
}

const number = fc.oneof(
  fc.maxSafeInteger().map(String),
  fc.constantFrom(
    '-',
    '',
    '+1',
    '1.0',
    ' 1',
    '9007199254740992',
    '-0',
    '00012',
    '12345678901234567',
    '-9007199254740991',
  ),
)
const value: fc.Arbitrary<Buffer | null> = fc.oneof(
  fc.constant(null),
  fc.uint8Array({ maxLength: 140, size: 'max' }).map(bytes => Buffer.from(bytes)),
  number.map(text => Buffer.from(text)),
  // What stands there again and again, and what differs from it in one byte.
  fc.constantFrom('same', 'samf', 'x'.repeat(128), 'x'.repeat(129), 'ä'.repeat(64)).map(text => Buffer.from(text)),
)
const name = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...KNOWN) },
  { weight: 1, arbitrary: fc.constantFrom('trace', 'kri-', 'kri-else', 'kri-stagf', 'KRI-stage', 'kri-stage ') },
)
const row: fc.Arbitrary<readonly Header[]> = fc.array(fc.tuple(name, value), { maxLength: 12 })

describe('the reader of our headers', () => {
  it('F1 reads what parsing all of them gives, whatever stood in the records before', () => {
    const reader = new FactReader(KNOWN)
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 6 }), rows => {
        const block = blockOf(rows)
        for (let i = 0; i < block.count; i++) {
          reader.read(block, i)
          const facts = KNOWN.map(each => reader.fact(each))
          assert.deepEqual(
            facts.map(fact => [reader.has(fact), reader.text(fact), reader.whole(fact)]),
            parsed(block, i),
          )
        }
      }),
      { numRuns: 500 },
    )
  })

  it('F2 hands out nothing that points into the block', () => {
    const block = blockOf([
      [
        ['kri-step', Buffer.from('classify')],
        ['kri-error-message', Buffer.from('too short')],
      ],
    ])
    const letter = deadLetterOf(block, 0)
    block.bytes.fill(0)
    assert.deepEqual([letter.step, letter.message], ['classify', 'too short'])
  })

  it('F2 reads the begin of texts that are longer than any of ours, so that those who keep letters know what they keep', () => {
    const huge = Buffer.alloc(1024 * 1024, 'x')
    const block = blockOf([KNOWN.map(name => [name, huge])])
    const letter = deadLetterOf(block, 0)
    assert.equal(JSON.stringify(letter).length < 128 * 1024, true)
    assert.deepEqual([letter.message?.length, letter.step?.length], [32 * 1024, 4 * 1024])
  })
})
