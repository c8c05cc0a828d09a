// A record as `kri consume` shows it, whatever its bytes are.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openReader } from '../../src/check/readers.ts'
import { recordAsJson, recordAsText, type ShownRecord, showRecord } from '../../src/cli/consume-record.ts'
import { inference } from '../../src/kafka/inference-codec.ts'
import { json } from '../../src/kafka/json-codec.ts'
import { bytes, utf8 } from '../../src/kafka/plain-codecs.ts'
import { readRecordBlock } from '../../src/kafka/record-batch-reader.ts'
import type { Header } from '../../src/kafka/record-block.ts'
import { float32 } from '../../src/kafka/tensor-codec.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { sealedBatch, storedBatch, type TestRecord } from '../support/record-batches.ts'

const parts = { registry: undefined, readSchema: async () => '', logger: silentLogger, clock: systemClock }
const AT = Date.parse('2026-01-31T12:00:00.123Z')

interface Shown {
  readonly record: Partial<TestRecord>
  readonly key?: object
  readonly value?: object
  readonly isDeadLetter?: boolean
}

async function shown({ record, key = utf8(), value = json(), isDeadLetter = false }: Shown): Promise<ShownRecord> {
  const whole = { timestamp: AT, key: Buffer.from('k'), value: Buffer.from('1'), headers: [], ...record }
  const block = readRecordBlock({
    topic: 'in',
    partition: 2,
    records: storedBatch(sealedBatch([whole], 'in', 2).bytes, { baseOffset: 7 }),
    startOffset: 7,
    endOffset: 8,
    abortedTransactions: [],
  })
  const reader = await openReader('in', key, value, parts)
  await reader.prepare(block)
  return showRecord(block, 0, reader, isDeadLetter)
}

function header(name: string, value: string): Header {
  return [name, Buffer.from(value)]
}

const LETTER: readonly Header[] = [
  header('kri-code', 'of the producer, who pretends'),
  header('trace', 'abc'),
  header('kri-stage', 'preprocess'),
  header('kri-step', 'classify'),
  header('kri-node', 'step classify'),
  header('kri-code', 'FUNCTION_THREW'),
  header('kri-error-message', '[FUNCTION_THREW] first\nsecond \u001b[31mred'),
  header('kri-original-topic', 'images'),
  header('kri-original-partition', '1'),
  header('kri-original-offset', '97'),
  header('kri-original-timestamp', '5'),
  header('kri-failed-at', '6'),
]

/** Everything by which a terminal is moved, coloured, cleared or deceived. */
const HOSTILE = 'a\u0000\u0007\b\t\n\r\u001b]0;x\u007f\u0090\u009b2J\u202e\u2066\u200b\u2028\ufeff\u{e0041}"\\é語😀'

describe('a record as kri consume shows it', () => {
  test('as text: position, time, key, value and headers in one line', async () => {
    const record = await shown({ record: { value: Buffer.from('{"a": [1, 2]}'), headers: [header('h', 'x')] } })
    assert.equal(recordAsText(record), 'in/2/7  2026-01-31T12:00:00.123Z  "k"  {"a":[1,2]}  h="x"')
  })

  test('as JSON: all of it, decoded', async () => {
    const headers: Header[] = [header('h', 'x'), ['h', null], ['b', Buffer.from([0xff])]]
    const record = await shown({ record: { key: null, value: Buffer.from('{"a": [1, 2]}'), headers } })
    assert.deepEqual(JSON.parse(recordAsJson(record)), {
      ...{ topic: 'in', partition: 2, offset: 7, timestamp: AT, key: null, value: { a: [1, 2] } },
      headers: [
        ['h', 'x'],
        ['h', null],
        ['b', { base64: '/w==' }],
      ],
    })
  })

  test('bytes that do not decode are base64, with the reason', async () => {
    const record = await shown({ record: { key: Buffer.from([0xff, 0]), value: Buffer.from('{') } })
    const { key, value, undecoded } = JSON.parse(recordAsJson(record)) as ShownRecord
    assert.deepEqual([key, value], ['/wA=', 'ew=='])
    assert.match(undecoded!.key!, /^\[DECODE_MALFORMED\].*not UTF-8/)
    assert.match(undecoded!.value!, /^\[DECODE_MALFORMED\]/)
    assert.match(recordAsText(record), / {2}base64 "\/wA=" \(\[DECODE_MALFORMED\].*\) {2}base64 "ew==" \(\[/)
  })

  test('a codec that can only write: JSON if it is, else text, else base64', async () => {
    const value = inference(float32(2))
    const read = async (text: Buffer) => (await shown({ record: { value: text }, value })).value
    assert.deepEqual(await read(Buffer.from('{"id":9007199254740993}')), { id: '9007199254740993' })
    assert.equal(await read(Buffer.from('{no JSON')), '{no JSON')
    assert.equal(await read(Buffer.from([0xff])), '/w==')
  })

  test('raw rows are numbers, those that JSON does not have too; bytes are base64', async () => {
    const row = Buffer.from(new Float32Array([1.5, Number.NaN, -Infinity]).buffer)
    assert.deepEqual((await shown({ record: { value: row }, value: float32(3) })).value, [1.5, 'NaN', '-Infinity'])
    const plain = await shown({ record: { value: Buffer.from([0, 1]) }, value: bytes() })
    assert.deepEqual([plain.value, plain.undecoded], ['AAE=', undefined])
  })

  test('a dead letter as text: what failed where and why, from where, and the headers that are not ours', async () => {
    const record = await shown({ record: { headers: LETTER }, isDeadLetter: true })
    assert.equal(
      recordAsText(record),
      'in/2/7  2026-01-31T12:00:00.123Z  FUNCTION_THREW in preprocess of step classify: ' +
        '[FUNCTION_THREW] first\\nsecond \\u001b[31mred  from images/1/97  "k"  1  trace="abc"',
    )
  })

  test('a dead letter as JSON: our own headers count, which stand behind those of the record', async () => {
    const { deadLetter } = JSON.parse(recordAsJson(await shown({ record: { headers: LETTER }, isDeadLetter: true })))
    assert.deepEqual(deadLetter, {
      ...{ stage: 'preprocess', step: 'classify', node: 'step classify', code: 'FUNCTION_THREW' },
      message: '[FUNCTION_THREW] first\nsecond \u001b[31mred',
      original: { topic: 'images', partition: 1, offset: 97, timestamp: 5 },
      ...{ failedAt: 6, modelId: null },
    })
  })

  test('a dead letter without its value says how large it was; one of somebody else is shown all the same', async () => {
    const large = [...LETTER, header('kri-value-bytes', '2000000')]
    const record = await shown({ record: { value: null, headers: large }, isDeadLetter: true })
    assert.match(recordAsText(record), /"k" {2}\(2000000 bytes, too large to keep\)/)
    const foreign = await shown({ record: { headers: [header('kri-failed-at', 'soon')] }, isDeadLetter: true })
    assert.deepEqual([foreign.deadLetter!.code, foreign.deadLetter!.failedAt], [null, null])
    assert.match(recordAsText(foreign), /\? in \? of \?: \(no message\) {2}from \?\/\?\/\?/)
  })

  test('no byte of key, value or headers reaches a terminal as anything but visible text', async () => {
    const hostile = Buffer.from(HOSTILE)
    const headers = [
      ...LETTER,
      header(HOSTILE, HOSTILE),
      header('kri-error-message', HOSTILE),
      header('kri-step', HOSTILE),
    ]
    const record = { key: hostile, value: hostile, headers }
    for (const isDeadLetter of [false, true]) {
      const each = await shown({ record, value: utf8(), isDeadLetter })
      for (const line of [recordAsText(each), recordAsJson(each)]) {
        assert.doesNotMatch(line, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u)
        assert.match(line, /é語😀/)
      }
      const parsed = JSON.parse(recordAsJson(each)) as ShownRecord
      assert.deepEqual([parsed.key, parsed.value, parsed.headers.at(-3)], [HOSTILE, HOSTILE, [HOSTILE, HOSTILE]])
    }
    // Unreadable JSON is quoted in the reason.
    assert.doesNotMatch(recordAsText(await shown({ record })), /[\p{Cc}\p{Cf}]/u)
  })

  test('nor does what is deep, long or at no time end the command', async () => {
    const deep = Buffer.from('['.repeat(200_000) + ']'.repeat(200_000))
    assert.ok(recordAsJson(await shown({ record: { value: deep } })).length > 200_000)
    const long = await shown({ record: { value: Buffer.from(JSON.stringify('😀'.repeat(1000))), timestamp: -1 } })
    assert.match(recordAsText(long), /^in\/2\/7 {2}time -1 {2}"k" {2}"😀+\S{0,8}…$/u)
    const late = await shown({ record: { timestamp: 2 ** 53 - 1 } })
    assert.match(recordAsText(late), /time 9007199254740991/)
  })
})
