// Which dead letters a selection means (S1 to S4).
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { carriedHeaders, deadLetterOf } from '../../src/dead-letters/dead-letter.ts'
import { fingerprintOf } from '../../src/dead-letters/fingerprint.ts'
import { type Selection, selects } from '../../src/dead-letters/selection.ts'
import { letterBlock, type TestLetter } from '../support/letter-blocks.ts'

function isSelected(letter: TestLetter, selection: Selection): boolean {
  const block = letterBlock([{ value: 'before' }, letter], 'shop.classify.failed-inference', 40)
  return selects(selection)(deadLetterOf(block, 1), block, 1)
}

const LETTER: TestLetter = {
  key: 'käse',
  facts: { 'model-id': 'v2', index: '1', 'replay-count': '2', 'error-message': 'Expected [64], got [63]' },
  carried: [
    ['trace', Buffer.from('abc')],
    ['empty', null],
  ],
}

const conditions: Record<string, { readonly meets: readonly Selection[]; readonly misses: readonly Selection[] }> = {
  stages: { meets: [{ stages: ['preprocess', 'inference'] }], misses: [{ stages: ['preprocess'] }, { stages: [] }] },
  steps: { meets: [{ steps: ['classify'] }], misses: [{ steps: ['other'] }] },
  indexes: { meets: [{ indexes: [1] }], misses: [{ indexes: [0] }] },
  codes: { meets: [{ codes: ['SHAPE_MISMATCH'] }], misses: [{ codes: ['shape_mismatch'] }] },
  models: { meets: [{ models: ['v2'] }], misses: [{ models: ['v1'] }] },
  text: { meets: [{ text: 'expected [64' }], misses: [{ text: 'expected [65' }] },
  keys: {
    meets: [{ keys: ['x', 'käse'] }, { keysHex: ['6bc3a47365'] }],
    misses: [{ keys: ['kase'] }, { keysHex: ['6b'] }],
  },
  headers: {
    meets: [{ headers: [{ name: 'trace' }] }, { headers: [{ name: 'trace', value: 'abc' }, { name: 'empty' }] }],
    misses: [{ headers: [{ name: 'trace', value: 'ab' }] }, { headers: [{ name: 'kri-code' }] }],
  },
  offsets: {
    meets: [
      { offsets: [{ of: 'original', topic: 'orders', partition: 2, from: 17, until: 18 }] },
      { offsets: [{ of: 'letter', partition: 0, from: 41 }] },
      {
        offsets: [
          { of: 'original', partition: 9 },
          { of: 'original', partition: 2 },
        ],
      },
    ],
    misses: [
      { offsets: [{ of: 'original', partition: 2, from: 18 }] },
      { offsets: [{ of: 'original', partition: 2, until: 17 }] },
      { offsets: [{ of: 'original', topic: 'others', partition: 2 }] },
      { offsets: [{ of: 'letter', partition: 0, from: 42 }] },
    ],
  },
  times: { meets: [{ failedFrom: 5000, failedUntil: 5001 }], misses: [{ failedFrom: 5001 }, { failedUntil: 5000 }] },
  replays: { meets: [{ minReplays: 2, maxReplays: 2 }], misses: [{ minReplays: 3 }, { maxReplays: 1 }] },
  fingerprints: {
    meets: [
      {
        fingerprints: [
          fingerprintOf({
            stage: 'inference',
            step: 'classify',
            code: 'SHAPE_MISMATCH',
            message: 'Expected [1], got [2]',
          }),
        ],
      },
    ],
    misses: [{ fingerprints: ['000000000000'] }],
  },
}

describe('a selection', () => {
  for (const [name, { meets, misses }] of Object.entries(conditions))
    it(`selects by ${name}`, () => {
      for (const selection of meets) assert.equal(isSelected(LETTER, selection), true, JSON.stringify(selection))
      for (const selection of misses) assert.equal(isSelected(LETTER, selection), false, JSON.stringify(selection))
    })

  it('S2 selects all where it is empty', () => assert.equal(isSelected({ key: null, value: null }, {}), true))

  it('S1 selects what meets every condition', () => {
    const cases = Object.values(conditions).flatMap(({ meets, misses }) => [
      ...meets.map(selection => ({ selection, met: true })),
      ...misses.map(selection => ({ selection, met: false })),
    ])
    fc.assert(
      fc.property(fc.subarray(cases, { maxLength: 4 }), chosen => {
        // One condition of a name would take the other's place; keys are one, however they are written.
        const names = chosen.flatMap(({ selection }) => Object.keys(selection).map(name => name.replace('Hex', '')))
        fc.pre(new Set(names).size === names.length)
        const all: Selection = Object.assign({}, ...chosen.map(({ selection }) => selection))
        assert.equal(
          isSelected(LETTER, all),
          chosen.every(({ met }) => met),
        )
      }),
    )
  })

  it('S3 leaves out what does not state that which is asked for', () => {
    const silent: TestLetter = {
      key: null,
      facts: Object.fromEntries(
        ['step', 'stage', 'code', 'error-message', 'failed-at', 'original-offset', 'original-partition'].map(name => [
          name,
          undefined,
        ]),
      ),
    }
    const asked: readonly Selection[] = [
      { stages: [''] },
      { steps: ['null'] },
      { codes: [''] },
      { models: [''] },
      { text: '' },
      { keys: [''] },
      { failedFrom: 0 },
      { failedUntil: 9e15 },
      { offsets: [{ of: 'original', partition: 0 }] },
    ]
    for (const selection of asked) assert.equal(isSelected(silent, selection), false, JSON.stringify(selection))
  })
})

describe('a dead letter', () => {
  it('is read whole, and holds nothing of its block', () => {
    const block = letterBlock([LETTER], 'shop.classify.failed-inference', 7)
    const letter = deadLetterOf(block, 0)
    assert.deepEqual(letter.original, { topic: 'orders', partition: 2, offset: 17, timestamp: 1000 })
    assert.deepEqual(
      [letter.topic, letter.partition, letter.offset, letter.writtenAt],
      ['shop.classify.failed-inference', 0, 7, 9_000],
    )
    assert.deepEqual([letter.replayCount, letter.index, letter.failedAt, letter.leftOut], [2, 1, 5000, null])
    assert.equal(JSON.stringify(letter).includes('"data"'), false)
    assert.deepEqual(
      carriedHeaders(block, 0).map(([name]) => name),
      ['trace', 'empty'],
    )
  })

  it('takes numbers that are none for not stated', () => {
    for (const text of ['', '1e3', ' 1', '0x10', '99999999999999999', 'NaN', '1.5', '9007199254740993']) {
      const block = letterBlock([{ facts: { 'original-offset': text, 'replay-count': text } }])
      assert.equal(deadLetterOf(block, 0).original.offset, null, text)
      assert.equal(deadLetterOf(block, 0).replayCount, 0, text)
    }
    assert.equal(deadLetterOf(letterBlock([{ facts: { 'replay-count': '-3' } }]), 0).replayCount, 0)
  })

  it('says what became of a value that was too large', () => {
    const block = letterBlock([{ value: null, facts: { 'value-bytes': '12', 'value-sha256': 'ab' } }])
    assert.deepEqual(deadLetterOf(block, 0).leftOut, { bytes: 12, sha256: 'ab' })
  })
})
