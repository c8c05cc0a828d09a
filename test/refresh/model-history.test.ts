import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type HistoryRecord, historyOf } from '../../src/refresh/model-history.ts'
import type { Candidate, ModelMetadata, StepModels } from '../../src/refresh/step-models.ts'

const model = (name: string): ModelMetadata => ({ modelId: `${name}.onnx`, modelName: name })
const trial = (name: string, mode: Candidate['mode'] = 'canary'): Candidate => {
  return { model: model(name), mode, percent: 10, salt: name }
}

interface Parts {
  readonly candidate?: Candidate
  readonly previous?: readonly string[]
}

function state(revision: number, stable: string, { previous = [], ...rest }: Parts = {}): StepModels {
  const who = { publishedBy: 'me', publishedAt: '2026-01-01T00:00:00Z' }
  return { revision, stable: model(stable), previous: previous.map(model), ...rest, ...who }
}

/** Records of one slot, in order. */
function records(...states: readonly (StepModels | undefined)[]): HistoryRecord[] {
  return states.map((each, i) => ({ offset: 2 * i, timestampMs: i, slot: 's', state: each }))
}

const kinds = (all: readonly HistoryRecord[]) => historyOf(all).map(({ kind }) => kind)

describe('the history of models', () => {
  test('is told newest first, each change by what it is', () => {
    const all = records(
      state(1, 'a'),
      state(2, 'b', { previous: ['a'] }),
      state(3, 'a', { previous: ['b'] }),
      state(4, 'a', { previous: ['b'], candidate: trial('c') }),
      state(5, 'c', { previous: ['a', 'b'] }),
      state(6, 'c', { previous: ['a', 'b'], candidate: trial('d', 'shadow') }),
      state(7, 'c', { previous: ['a', 'b'] }),
      undefined,
      state(1, 'e'),
    )
    const expected = ['published', 'published', 'back', 'canary', 'promoted', 'shadow', 'aborted', 'own', 'published']
    assert.deepEqual(kinds(all), expected.toReversed())
  })

  test('another model during a trial is a publication, another share of it a trial', () => {
    const first = state(1, 'a', { candidate: trial('b') })
    assert.deepEqual(kinds(records(first, state(2, 'c', { previous: ['a'] }))), ['published', 'canary'])
    const wider = state(2, 'a', { candidate: { ...trial('b'), percent: 50 } })
    assert.deepEqual(kinds(records(first, wider)), ['canary', 'canary'])
  })

  test('of each slot the last record that can be read is what serves', () => {
    const unreadable: HistoryRecord = { offset: 20, timestampMs: 20, slot: 's', state: undefined, problem: 'no JSON' }
    const other: HistoryRecord = { offset: 21, timestampMs: 21, slot: 'other', state: undefined }
    const last: HistoryRecord = { offset: 22, timestampMs: 22, slot: 'last', state: state(1, 'z') }
    const entries = historyOf([...records(state(1, 'a'), state(2, 'b')), unreadable, other, last])
    assert.deepEqual(
      entries.filter(({ isCurrent }) => isCurrent).map(({ slot, offset }) => [slot, offset]),
      [
        ['last', 22],
        ['other', 21],
        ['s', 2],
      ],
    )
    assert.deepEqual(
      entries.map(({ kind }) => kind),
      ['published', 'own', 'unreadable', 'published', 'published'],
    )
  })

  test('what compaction has removed is a gap, and nothing is guessed across it', () => {
    const [third, first] = historyOf(
      records(state(1, 'a', { candidate: trial('c') }), state(5, 'c', { previous: ['a'] })),
    )
    assert.deepEqual([third!.kind, third!.followsGap], ['published', true])
    assert.deepEqual([first!.kind, first!.followsGap], ['canary', false])
    assert.equal(historyOf(records(state(7, 'x')))[0]!.followsGap, true)
  })
})
