/** Blocks of dead letters, as a fetch brings them. */
import { readRecordBlock } from '../../src/kafka/record-batch-reader.ts'
import type { Header, RecordBlock } from '../../src/kafka/record-block.ts'
import { sealedBatch, storedBatch, type TestRecord } from './record-batches.ts'

export interface TestLetter {
  readonly key?: string | Buffer | null
  readonly value?: string | null
  /** Of ours by their names without `kri-`; undefined leaves one of the usual ones out. */
  readonly facts?: Readonly<Record<string, string | undefined>>
  readonly carried?: readonly Header[]
}

const USUAL: Readonly<Record<string, string>> = {
  application: 'shop',
  step: 'classify',
  node: 'step classify',
  stage: 'inference',
  code: 'SHAPE_MISMATCH',
  'error-type': 'RunInferenceError',
  'error-message': 'expected [64], got [63]',
  'original-topic': 'orders',
  'original-partition': '2',
  'original-offset': '17',
  'original-timestamp': '1000',
  attempt: '1',
  'replay-count': '0',
  'failed-at': '5000',
}

export function letterRecords(letters: readonly TestLetter[]): readonly TestRecord[] {
  return letters.map(({ key = 'k', value = 'v', facts = {}, carried = [] }) => ({
    timestamp: 9_000,
    key: typeof key === 'string' ? Buffer.from(key) : key,
    value: value === null ? null : Buffer.from(value),
    headers: [
      ...carried,
      ...Object.entries({ ...USUAL, ...facts }).flatMap(([name, text]): Header[] =>
        text === undefined ? [] : [[`kri-${name}`, Buffer.from(text)]],
      ),
    ],
  }))
}

export function letterBlock(
  letters: readonly TestLetter[],
  topic = 'shop.classify.failed-inference',
  baseOffset = 0,
): RecordBlock {
  const bytes = storedBatch(sealedBatch(letterRecords(letters), topic).bytes, { baseOffset })
  return readRecordBlock({
    ...{ topic, partition: 0, records: bytes, startOffset: baseOffset, endOffset: baseOffset + letters.length },
  })
}
