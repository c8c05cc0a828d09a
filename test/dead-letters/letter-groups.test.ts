// Dead letters, counted by what made them fail.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { deadLetterOf } from '../../src/dead-letters/dead-letter.ts'
import { LetterGroups, MAX_GROUPS, MAX_MODELS } from '../../src/dead-letters/letter-groups.ts'
import { letterBlock, type TestLetter } from '../support/letter-blocks.ts'

function groupsOf(letters: readonly TestLetter[]): LetterGroups {
  const block = letterBlock(letters)
  const groups = new LetterGroups()
  for (let row = 0; row < block.count; row++) groups.add(deadLetterOf(block, row))
  return groups
}

describe('groups of dead letters', () => {
  it('have first, last, attempts, replays, models and the newest example', () => {
    const [group, ...others] = groupsOf([
      { facts: { 'failed-at': '200', attempt: '3', 'model-id': 'v1' } },
      { facts: { 'failed-at': '100', 'replay-count': '2', 'error-message': 'expected [1], got [2]' } },
      { facts: { 'failed-at': '300', 'model-id': 'v2', 'replay-count': '1' } },
    ]).list()
    assert.deepEqual(others, [])
    assert.deepEqual(
      { ...group, fingerprint: undefined, example: group!.example.offset },
      {
        ...{ fingerprint: undefined, stage: 'inference', step: 'classify', code: 'SHAPE_MISMATCH' },
        ...{ message: 'expected [<n>], got [<n>]', count: 3, firstSeen: 100, lastSeen: 300, attempts: 3 },
        ...{ replayed: 2, mostReplays: 2, modelIds: ['v1', 'v2'], example: 2 },
      },
    )
  })

  it('come with the most frequent first, of as many the newest', () => {
    const list = groupsOf([
      { facts: { code: 'ONCE_OLD', 'failed-at': '1' } },
      { facts: { code: 'ONCE_NEW', 'failed-at': '9' } },
      { facts: { code: 'TWICE', 'failed-at': '1' } },
      { facts: { code: 'TWICE', 'failed-at': '1' } },
    ]).list()
    assert.deepEqual(
      list.map(({ code }) => code),
      ['TWICE', 'ONCE_NEW', 'ONCE_OLD'],
    )
  })

  it('count the time of arrival where the time of failing is not stated', () => {
    assert.equal(groupsOf([{ facts: { 'failed-at': 'soon' } }]).list()[0]!.lastSeen, 9_000)
  })

  it('are bounded, and nothing goes uncounted', () => {
    const codes = Array.from({ length: MAX_GROUPS + 5 }, (_, i) => ({ facts: { code: `C${i}` } }))
    const groups = groupsOf([...codes, ...codes.slice(0, 1)])
    assert.equal(groups.list().length, MAX_GROUPS)
    assert.equal(groups.others, 5)
    assert.equal(groups.count, MAX_GROUPS + 6)
    const models = Array.from({ length: MAX_MODELS + 2 }, (_, i) => ({ facts: { 'model-id': `m${i}` } }))
    assert.equal(groupsOf(models).list()[0]!.modelIds.length, MAX_MODELS)
  })
})
