import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { RunInferenceError } from '../../src/errors.ts'
import type { Header } from '../../src/kafka/record-block.ts'
import { sizeOfHeaders } from '../../src/kafka/record-headers.ts'
import { encodeFailure } from '../../src/pipeline/dead-letter.ts'
import type { EncodedFailure } from '../../src/pipeline/unit-builder.ts'
import { blockOf, flowOf, type SourceRecord, sourceRecord, workOf } from '../support/work-blocks.ts'

const point = {
  topic: 't.s.failed-postprocess',
  stage: 'postprocess' as const,
  step: 's',
  node: 'step s',
  listeners: [],
}
const error = RunInferenceError.from(new RangeError('the message'), 'POSTPROCESS_THREW')

function encode(record: Partial<SourceRecord>, maxBytes: number, change: object = {}): EncodedFailure {
  const block = blockOf([sourceRecord(42, record)], { topic: 'source', partition: 3 })
  const work = workOf(block, flowOf('source', 3))
  return encodeFailure('app', 1_234, work, 0, { point, index: 2, error, modelId: 'm@1', ...change }, maxBytes)
}

const names = ({ headers }: EncodedFailure) => headers.map(([name]) => name)
const textOf = ({ headers }: EncodedFailure, name: string) => headers.find(([other]) => other === name)?.[1]?.toString()

describe('a dead letter', () => {
  it('says where, why and when', () => {
    const { headers, withoutValue } = encode({ timestamp: 99 }, 100_000)
    const stack = headers.find(([name]) => name === 'kri-error-stack')![1]!.toString()
    assert.equal(withoutValue, false)
    assert.match(stack, /^RangeError: the message\n/)
    assert.deepEqual(
      Object.fromEntries(
        headers.filter(([name]) => name !== 'kri-error-stack').map(([name, data]) => [name, data!.toString()]),
      ),
      {
        'kri-source': 'source/3/42',
        'kri-application': 'app',
        'kri-step': 's',
        'kri-node': 'step s',
        'kri-stage': 'postprocess',
        'kri-index': '2',
        'kri-code': 'POSTPROCESS_THREW',
        'kri-error-type': 'RangeError',
        'kri-error-message': '[POSTPROCESS_THREW] the message',
        'kri-original-topic': 'source',
        'kri-original-partition': '3',
        'kri-original-offset': '42',
        'kri-original-timestamp': '99',
        'kri-model-id': 'm@1',
        'kri-attempt': '1',
        'kri-replay-count': '0',
        'kri-failed-at': '1234',
      },
    )
  })

  it('leaves out what does not apply: step, index, model', () => {
    const given = names(encode({}, 100_000, { point: { ...point, step: '' }, index: -1, modelId: undefined }))
    for (const name of ['kri-step', 'kri-index', 'kri-model-id']) assert.ok(!given.includes(name))
  })

  it('bounds message and stack', () => {
    const long = new RangeError('x'.repeat(50_000))
    const encoded = encode({}, 1_000_000, { error: RunInferenceError.from(long, 'FUNCTION_THREW') })
    assert.ok(textOf(encoded, 'kri-error-message')!.length <= 2_001)
    assert.ok(textOf(encoded, 'kri-error-stack')!.length <= 4_001)
  })

  it('that is too large gives up the stack, then the message, then the value, whose size and digest stay', () => {
    const value = Buffer.alloc(5_000, 'v')
    const all = encode({ value }, 100_000)
    const needed = (headers: readonly Header[]) => sizeOfHeaders(headers) + value.length + 64
    const without = (...gone: string[]) => needed(all.headers.filter(([name]) => !gone.includes(name)))
    const noStack = encode({ value }, without() - 1)
    assert.deepEqual(
      [names(noStack).includes('kri-error-stack'), names(noStack).includes('kri-error-message')],
      [false, true],
    )
    const noMessage = encode({ value }, without('kri-error-stack') - 1)
    assert.ok(!names(noMessage).includes('kri-error-message') && !noMessage.withoutValue)
    const noValue = encode({ value }, without('kri-error-stack', 'kri-error-message') - 1)
    assert.equal(noValue.withoutValue, true)
    assert.equal(textOf(noValue, 'kri-value-bytes'), '5000')
    assert.equal(textOf(noValue, 'kri-value-sha256'), createHash('sha256').update(value).digest('hex'))
    assert.equal(textOf(noValue, 'kri-original-offset'), '42')
  })

  it('fits what its topic takes, whatever the record is', () => {
    const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map(data => Buffer.from(data))
    fc.assert(
      fc.property(
        bytes(300),
        fc.option(bytes(5_000), { nil: null }),
        fc.integer({ min: 2_500, max: 12_000 }),
        (key, value, maxBytes) => {
          const headers: Header[] = [['carried', Buffer.alloc(100)]]
          const { headers: own, withoutValue } = encode({ key, value, headers }, maxBytes)
          const total = key.length + (withoutValue ? 0 : (value?.length ?? 0)) + sizeOfHeaders([...headers, ...own])
          assert.ok(total + 64 <= maxBytes, `${total} bytes in ${maxBytes}`)
        },
      ),
    )
  })
})
