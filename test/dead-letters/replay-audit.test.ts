// What replays write of themselves is read back as it was meant, or refused as a whole.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type AuditRecord, encodeAudit, isRunName, parseAudit } from '../../src/dead-letters/replay-audit.ts'
import type { OffsetRange, Selection } from '../../src/dead-letters/selection.ts'
import { RunInferenceError } from '../../src/errors.ts'

const text = fc.string({ unit: 'grapheme', maxLength: 12 })
const texts = fc.array(text, { maxLength: 3 })
const whole = fc.maxSafeNat()
const range: fc.Arbitrary<OffsetRange> = fc.record(
  { of: fc.constantFrom('original', 'letter'), partition: fc.nat(99), topic: text, from: whole, until: whole },
  { requiredKeys: ['of', 'partition'] },
)
const selection: fc.Arbitrary<Selection> = fc.record(
  {
    ...{ stages: texts, steps: texts, codes: texts, models: texts, fingerprints: texts, keys: texts, keysHex: texts },
    ...{ indexes: fc.array(fc.nat(9)), text, offsets: fc.array(range, { maxLength: 2 }) },
    headers: fc.array(fc.record({ name: text, value: text }, { requiredKeys: ['name'] }), { maxLength: 2 }),
    ...{ failedFrom: whole, failedUntil: whole, minReplays: whole, maxReplays: whole },
  },
  { requiredKeys: [] },
)
const base = {
  run: fc.constantFrom('night-1', 'a', 'A.b_c-9'),
  by: text,
  at: fc.constant('2026-01-02T03:04:05.000Z'),
}
const started: fc.Arbitrary<AuditRecord> = fc.record(
  {
    ...base,
    reason: text,
    kind: fc.constantFrom('started' as const, 'resumed' as const),
    order: fc.record({
      selection,
      bounds: fc.dictionary(text, fc.array(whole, { maxLength: 3 })),
      target: fc.oneof(
        fc.record({ kind: fc.constantFrom('replay' as const, 'source' as const) }),
        fc.record({ kind: fc.constant('topic' as const), topic: text }),
      ),
      maxReplays: whole,
      guarantee: fc.constantFrom('at_least_once', 'exactly_once'),
      setHeaders: fc.dictionary(text, fc.option(text)),
    }),
  },
  { requiredKeys: ['run', 'by', 'at', 'kind', 'order'] },
)
const ended: fc.Arbitrary<AuditRecord> = fc.record(
  {
    ...base,
    kind: fc.constantFrom('finished', 'stopped', 'cancelled'),
    counts: fc.record({ replayed: whole, parked: whole, lost: whole }),
    positions: fc.dictionary(text, fc.array(whole, { maxLength: 3 })),
  },
  { requiredKeys: ['run', 'by', 'at', 'kind', 'counts'] },
)

const span = fc.tuple(fc.nat(1_000), fc.integer({ min: 1, max: 9 })).map(([from, many]) => [from, from + many] as const)
const lost: fc.Arbitrary<AuditRecord> = fc.record({
  ...{ ...base, kind: fc.constant('lost' as const), count: fc.integer({ min: 1 }), why: text },
  letters: fc.array(fc.record({ topic: text, partition: fc.nat(9), spans: fc.array(span, { maxLength: 3 }) }), {
    maxLength: 2,
  }),
})

/** What is said of a value. */
function refused(value: unknown): string {
  const bytes = typeof value === 'string' ? Buffer.from(value) : Buffer.from(JSON.stringify(value))
  try {
    parseAudit(bytes, 'record a/0/1')
  } catch (error) {
    assert.ok(error instanceof RunInferenceError && error.code === 'AUDIT_INVALID', String(error))
    return error.message
  }
  throw new Error('it was taken')
}

describe('the audit of a replay', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(fc.oneof(started, ended, lost), record => {
        assert.deepEqual(parseAudit(encodeAudit(record), 'w'), JSON.parse(JSON.stringify(record)))
      }),
    )
  })

  const whole: AuditRecord = {
    ...{ kind: 'started', run: 'r', by: 'me', at: '2026-01-02T03:04:05Z' },
    order: {
      ...{ selection: { codes: ['A'] }, bounds: { t: [1] }, target: { kind: 'replay' } },
      ...{ maxReplays: 3, guarantee: 'at_least_once', setHeaders: {} },
    },
  }

  it('is refused with a condition that is not known: without it more would be selected', () => {
    const newer = { ...whole, order: { ...whole.order, selection: { codes: ['A'], colour: 'red' } } }
    assert.match(refused(newer), /order\.selection\.colour is wrong, expected a condition that is known/)
  })

  it('is refused with every field that is wrong', () => {
    const wrong = { ...whole, run: 'a/b', order: { ...whole.order, maxReplays: -1, target: { kind: 'topic' } } }
    const message = refused(wrong)
    for (const field of ['run', 'order.maxReplays', 'order.target.topic'])
      assert.match(message, new RegExp(`field ${field}`))
    const counts = { replayed: 1, parked: 0, lost: 0 }
    const end = { kind: 'stopped', run: 'r', by: 'me', at: 'yesterday', counts, positions: { t: [-1] } }
    for (const field of ['at', 'positions.t\\[0\\]']) assert.match(refused(end), new RegExp(`field ${field}`))
    const letters = [{ topic: 't', partition: 0, spans: [[1, 2], [2, 2], [1], [1, 2, 3]] }]
    const spans = refused({ kind: 'lost', run: 'r', by: 'me', at: end.at, count: 0, letters, why: 'gone' })
    for (const field of ['count', ...[1, 2, 3].map(i => `letters\\[0\\].spans\\[${i}\\]`)])
      assert.match(spans, new RegExp(`field ${field}`))
    assert.match(refused('{'), /is not JSON/)
    assert.match(refused([]), /is no audit of a replay/)
  })

  it('has one error for whatever bytes there are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), bytes => {
        assert.throws(() => parseAudit(Buffer.from(bytes), 'w'), { code: 'AUDIT_INVALID' })
      }),
    )
  })
})

describe('the name of a run', () => {
  it('is what names of groups and transactional ids may have in them', () => {
    for (const name of ['night-1', 'A.b_c', 'x'.repeat(100)]) assert.equal(isRunName(name), true, name)
    for (const name of ['', 'a b', 'a/b', 'ä', 'x'.repeat(101), '../x', 'a\n'])
      assert.equal(isRunName(name), false, name)
  })
})
