import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type CheckedTopics, check, type Verdict } from '../../demo/check.ts'
import type { Expectation } from '../../demo/output-problem.ts'
import type { DigitPrediction } from '../../schemas/types.ts'
import { readRecordBlock } from '../../src/kafka/record-batch-reader.ts'
import type { Header, RecordBlock } from '../../src/kafka/record-block.ts'
import { sealedBatch, storedBatch, type TestRecord } from '../support/record-batches.ts'

/** Source records of one partition: three images and, at offset 3, a bad record. */
const SOURCES = ['a', 'b', 'c', 'bad'].map(id => record(id, `image of ${id}`, [['trace', Buffer.from(`t-${id}`)]]))
const PROBABILITIES = [0.25, 0.75]
const RESULTS = new Map([
  ['m1', { label: 1, probabilities: PROBABILITIES }],
  ['m2', { label: 1, probabilities: [0.125, 0.875] }],
])

describe('check', () => {
  it('finds nothing wrong with a run in which every record became what it must', () => {
    const { findings, ...verdict } = checked(goodRun())
    assert.deepEqual(findings, [])
    assert.deepEqual(verdict, {
      produced: 4,
      predictions: 3,
      deadLetters: new Map([['failed', new Map([['TOMBSTONE', 1]])]]),
      lost: 0,
      duplicates: 0,
      orderViolations: 0,
      mismatches: 0,
      accuracy: 2 / 3, // The model is wrong about c, as it is expected to be.
      models: new Map([
        ['m1', { predictions: 2, accuracy: 1 / 2 }],
        ['m2', { predictions: 1, accuracy: 1 }],
      ]),
    })
  })

  it('accepts probabilities that differ by less than 1e-6', () => {
    expectCounts(changed(run => run.predictions.splice(1, 1, prediction('b', 1, { probabilities: [0.2500009, 0.75] }))))
  })

  const faults: Record<string, [(run: Run) => unknown, Partial<Counts>]> = {
    'a lost record': [run => run.predictions.splice(1, 1), { lost: 1 }],
    'a lost bad record': [run => run.deadLetters.pop(), { lost: 1 }],
    'a record that was predicted twice, at once': [
      run => run.predictions.splice(1, 0, prediction('b', 1)),
      { duplicates: 1, orderViolations: 1 },
    ],
    'a record that was predicted three times': [
      run => run.predictions.push(prediction('c', 2), prediction('c', 2)),
      { duplicates: 1, orderViolations: 2 },
    ],
    'a record that has both a prediction and a dead letter': [
      run => run.deadLetters.unshift(deadLetter('a', 0)),
      { duplicates: 1, mismatches: 1 },
    ],
    'two records that were swapped': [
      run => run.predictions.splice(0, 2, prediction('b', 1), prediction('a', 0)),
      { orderViolations: 1 },
    ],
    'another label': [run => run.predictions.splice(1, 1, prediction('b', 1, { label: 9 })), { mismatches: 1 }],
    'a prediction of one model that names another': [
      run => run.predictions.splice(1, 1, prediction('b', 1, { modelId: 'm2' })),
      { mismatches: 1 },
    ],
    'a prediction that names a model that is none of the demo’s': [
      run => run.predictions.splice(1, 1, prediction('b', 1, { modelId: 'm3' })),
      { mismatches: 1 },
    ],
    'another probability': [
      run => run.predictions.splice(1, 1, prediction('b', 1, { probabilities: [0.25, 0.750002] })),
      { mismatches: 1 },
    ],
    'a probability that is no number': [
      run => run.predictions.splice(1, 1, prediction('b', 1, { probabilities: [Number.NaN, 0.75] })),
      { mismatches: 1 },
    ],
    'a prediction about another image': [
      run => run.predictions.splice(1, 1, prediction('b', 1, { id: 'a' })),
      { mismatches: 1 },
    ],
    'a prediction under another key': [
      run => run.predictions.splice(1, 1, { ...prediction('b', 1), key: Buffer.from('x') }),
      { mismatches: 1 },
    ],
    'a prediction that cannot be read': [
      run => run.predictions.splice(1, 1, { ...prediction('b', 1), value: Buffer.from('?') }),
      { mismatches: 1 },
    ],
    'a prediction that lost its headers': [
      run => run.predictions.splice(1, 1, { ...prediction('b', 1), headers: source(1) }),
      { mismatches: 1 },
    ],
    'a good record that became a dead letter': [
      run => {
        run.predictions.splice(0, 1)
        run.deadLetters.unshift(deadLetter('a', 0))
      },
      { mismatches: 1 },
    ],
    'a dead letter with another code': [
      run => run.deadLetters.splice(0, 1, deadLetter('bad', 3, 'DECODE_SIZE')),
      { mismatches: 1 },
    ],
    'a dead letter with another value': [
      run => run.deadLetters.splice(0, 1, { ...deadLetter('bad', 3), value: Buffer.from('else') }),
      { mismatches: 1 },
    ],
    'a dead letter that lost its value': [
      run => run.deadLetters.splice(0, 1, { ...deadLetter('bad', 3), value: null }),
      { mismatches: 1 },
    ],
    'a dead letter with one header more': [run => run.deadLetters[0]!.headers.push(['more', null]), { mismatches: 1 }],
    'an output without a source': [
      run => run.predictions.splice(1, 1, { ...prediction('b', 1), headers: [] }),
      { lost: 1, mismatches: 1 },
    ],
    'an output whose source is not in the source topic': [
      run => run.predictions.push(prediction('a', 17)),
      { mismatches: 1 },
    ],
  }
  for (const [fault, [spoil, counts]] of Object.entries(faults)) {
    it(`notices ${fault}`, () => expectCounts(changed(spoil), counts))
  }

  it('notices a dead letter in another dead-letter topic', () => {
    const run = goodRun()
    expectCounts(check({ ...topicsOf(run), deadLetters: [readBlock('failed-otherwise', run.deadLetters)] }), {
      mismatches: 1,
    })
  })

  it('judges the order of each source partition by itself', () => {
    const run = goodRun()
    const second = readBlock('in', [SOURCES[0]!], 1)
    run.predictions.push({
      ...prediction('a', 0),
      headers: [['kri-source', Buffer.from('in/1/0')], ...SOURCES[0]!.headers],
    })
    expectCounts(check({ ...topicsOf(run), source: [second, readBlock('in', SOURCES)] }))
  })

  it('says which record it is about', () => {
    const { findings } = changed(run => run.predictions.splice(1, 1))
    assert.deepEqual(findings, ['in/0/1 has no output'])
  })
})

type Counts = Pick<Verdict, 'lost' | 'duplicates' | 'orderViolations' | 'mismatches'>
type Output = TestRecord & { readonly headers: Header[] }
interface Run {
  readonly predictions: Output[]
  readonly deadLetters: Output[]
}

function goodRun(): Run {
  return {
    predictions: [
      prediction('a', 0),
      prediction('b', 1, { modelId: 'm2', probabilities: [0.125, 0.875] }),
      prediction('c', 2),
    ],
    deadLetters: [deadLetter('bad', 3)],
  }
}

function changed(spoil: (run: Run) => unknown): Verdict {
  const run = goodRun()
  spoil(run)
  return checked(run)
}

function checked(run: Run): Verdict {
  return check(topicsOf(run))
}

function topicsOf({ predictions, deadLetters }: Run): CheckedTopics {
  const blocks = (topic: string, records: Output[]) => (records.length === 0 ? [] : [readBlock(topic, records)])
  return {
    source: [readBlock('in', SOURCES)],
    predictions: blocks('out', predictions),
    deadLetters: blocks('failed', deadLetters),
    expect: ({ block, row }) => expectation(String(block.key(row))),
    readPrediction: ({ block, row }) => parsePrediction(String(block.value(row))),
  }
}

function expectation(id: string): Expectation {
  if (id === 'bad') return { topic: 'failed', code: 'TOMBSTONE' }
  return { topic: 'out', image: { id, trueLabel: id === 'c' ? 7 : 1, results: RESULTS } }
}

function expectCounts(verdict: Verdict, counts: Partial<Counts> = {}): void {
  const { lost, duplicates, orderViolations, mismatches } = verdict
  assert.deepEqual(
    { lost, duplicates, orderViolations, mismatches },
    { lost: 0, duplicates: 0, orderViolations: 0, mismatches: 0, ...counts },
  )
}

function prediction(id: string, offset: number, changes: Partial<DigitPrediction> = {}): Output {
  const { probabilities = PROBABILITIES, ...rest } = changes
  // JSON has no NaN: as text it comes back as one.
  const value = { id, label: 1, modelId: 'm1', ...rest, probabilities: [...probabilities].map(String) }
  return record(id, JSON.stringify(value), [...source(offset), ['trace', Buffer.from(`t-${id}`)]])
}

function parsePrediction(text: string): DigitPrediction {
  const parsed = JSON.parse(text) as DigitPrediction
  return { ...parsed, probabilities: [...parsed.probabilities].map(Number) }
}

function deadLetter(id: string, offset: number, code = 'TOMBSTONE'): Output {
  const headers: Header[] = [['trace', Buffer.from(`t-${id}`)], ...source(offset), ['kri-code', Buffer.from(code)]]
  return record(id, `image of ${id}`, headers)
}

function source(offset: number): Header[] {
  return [['kri-source', Buffer.from(`in/0/${offset}`)]]
}

function record(key: string, value: string, headers: Header[]): Output {
  return { timestamp: 1000, key: Buffer.from(key), value: Buffer.from(value), headers }
}

function readBlock(topic: string, records: readonly TestRecord[], partition = 0): RecordBlock {
  const stored = storedBatch(sealedBatch(records, topic, partition).bytes)
  return readRecordBlock({ topic, partition, records: stored, startOffset: 0, endOffset: records.length })
}
