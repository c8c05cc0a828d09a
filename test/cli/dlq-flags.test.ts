// What people write to say which dead letters they mean.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SELECTION_OPTIONS, type SelectionFlags, selectionArguments, selectionOf } from '../../src/cli/dlq-flags.ts'
import { selectedTopics } from '../../src/dead-letters/letter-topics.ts'
import type { Selection } from '../../src/dead-letters/selection.ts'
import { loadTopology } from '../../src/topology-module.ts'

const cascade = await loadTopology('topologies/cascade.ts', {})
const [small, large] = cascade.steps.map(({ step }) => step)

function parsed(name: string, ...texts: readonly string[]): unknown {
  const parse = SELECTION_OPTIONS.find(({ flags }) => flags.split(' ')[0] === name)!.parse!
  return texts.reduce<unknown>((before, text) => parse(text, before as never), undefined)
}

describe('flags that select dead letters', () => {
  it('are a selection without what was not given', () => {
    assert.deepEqual(selectionOf({}, cascade, 'm'), {})
    const flags: SelectionFlags = {
      key: ['a', 'hex:00FF', 'hex:zz'],
      header: ['trace', 'id=a=b'],
      code: parsed('--code', 'shape_mismatch') as string[],
      until: 7,
    }
    assert.deepEqual(selectionOf(flags, cascade, 'm'), {
      ...{ keys: ['a', 'hex:zz'], keysHex: ['00ff'] },
      headers: [{ name: 'trace' }, { name: 'id', value: 'a=b' }],
      ...{ codes: ['SHAPE_MISMATCH'], failedUntil: 7 },
    })
  })

  it('name places by topic, partition, and one offset or a range of them, its end included', () => {
    const place = { of: 'letter', topic: 'a.b-c', partition: 3 }
    assert.deepEqual(parsed('--letter', 'a.b-c/3', 'a.b-c/3/5', 'a.b-c/3/5-', 'a.b-c/3/5-9'), [
      place,
      { ...place, from: 5, until: 6 },
      { ...place, from: 5 },
      { ...place, from: 5, until: 10 },
    ])
    for (const wrong of ['', 'a', 'a/b', 'a/1/', 'a/1/-5', 'a/1/5-9-', '/1', 'a/-1'])
      assert.throws(() => parsed('--original', wrong), /expected topic\/partition/, wrong)
  })

  it('take times as they are, and as how long ago', () => {
    assert.equal(parsed('--since', '2026-01-02T03:04:05Z'), Date.UTC(2026, 0, 2, 3, 4, 5))
    const now = Date.now()
    const ago = now - (parsed('--until', '2h') as number)
    assert.ok(Math.abs(ago - 7_200_000) < 10_000, `${ago} ms ago`)
    for (const wrong of ['yesterday', '2', '2y', '-2h', '']) assert.throws(() => parsed('--since', wrong), /ISO 8601/)
  })

  it('refuse what cannot be meant, and say what is expected', () => {
    assert.throws(() => parsed('--stage', 'postproces'), /preprocess, inference, postprocess/)
    assert.throws(() => parsed('--fingerprint', 'xyz'), /twelve hex digits/)
    assert.throws(() => parsed('--key', 'hex:0'), /even number of hex digits/)
    assert.throws(() => parsed('--header', '=a'), /name or name=value/)
    assert.throws(() => selectionOf({ step: [`${small}x`] }, cascade, 'm'), new RegExp(`Did you mean ${small}`))
  })

  it('are made of a selection that says the same when they are read', () => {
    const selection: Selection = {
      ...{ stages: ['inference'], steps: [small!], indexes: [0, 2], codes: ['SHAPE_MISMATCH'] },
      ...{ fingerprints: ['0123456789ab'], models: ['a b'], text: "it's", keys: ['k', ''], keysHex: ['00ff', ''] },
      headers: [{ name: 'a' }, { name: 'b', value: 'c=d' }],
      offsets: [
        { of: 'original', topic: 'in', partition: 1 },
        { of: 'original', topic: 'in', partition: 1, from: 4 },
        { of: 'letter', topic: 'out', partition: 0, from: 3, until: 9 },
      ],
      ...{ failedFrom: 1_700_000_000_123, failedUntil: 1_800_000_000_000, minReplays: 1, maxReplays: 2 },
    }
    const words = selectionArguments(selection)
    const flags: Record<string, unknown> = {}
    for (let i = 0; i < words.length; i += 2) {
      const name = words[i]!.slice(2).replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())
      const { parse = (text: string) => text } = SELECTION_OPTIONS.find(each => each.flags.startsWith(`${words[i]} `))!
      flags[name] = parse(words[i + 1]!, flags[name] as never)
    }
    assert.deepEqual(selectionOf(flags, cascade, 'm'), selection)
    assert.deepEqual(selectionArguments({}), [])
  })

  it('leave out the topics in which no such letter can be', () => {
    assert.equal(selectedTopics(cascade, {}).length, 6)
    assert.deepEqual(selectedTopics(cascade, { steps: [large!], stages: ['inference'] }), [
      `${cascade.name}.${large}.failed-inference`,
    ])
  })
})
