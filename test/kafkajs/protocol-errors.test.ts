import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Backoff } from '../../src/kafkajs/backoff.ts'
import { produceVerdict } from '../../src/kafkajs/produce-verdict.ts'
import { brokerError, clientError, errorName } from '../../src/kafkajs/protocol-errors.ts'
import { Troubles } from '../../src/kafkajs/troubles.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'

describe('what brokers answer', () => {
  const meanings: [code: number, ours: string, retriable: boolean][] = [
    [3, 'TOPIC_MISSING', false],
    [1, 'OFFSET_OUT_OF_RANGE', false],
    [6, 'BROKER_UNAVAILABLE', true],
    [7, 'BROKER_UNAVAILABLE', true],
    [16, 'BROKER_UNAVAILABLE', true],
    [19, 'BROKER_UNAVAILABLE', true],
    [29, 'AUTHORISATION', false],
    [30, 'AUTHORISATION', false],
    [44, 'TOPIC_POLICY', false],
    [58, 'AUTHORISATION', false],
    [42, 'BROKER_REFUSED', false],
    [9_999, 'BROKER_REFUSED', false],
  ]
  for (const [code, ours, retriable] of meanings) {
    it(`${errorName(code)} is ${ours}, ${retriable ? 'an outage' : 'final'}`, () => {
      const error = brokerError(errorName(code), 'Asking')
      assert.deepEqual([error.code, error.retriable], [ours, retriable])
      assert.match(error.message, new RegExp(`Asking: the broker answered ${errorName(code)}`))
    })
  }

  it('has a verdict for a produced batch', () => {
    const verdicts = [
      'NONE',
      'DUPLICATE_SEQUENCE_NUMBER',
      'MESSAGE_TOO_LARGE',
      'INVALID_TIMESTAMP',
      'REQUEST_TIMED_OUT',
    ]
    assert.deepEqual(verdicts.map(produceVerdict), ['written', 'written', 'refused', 'refused', 'retry'])
    const others = ['OUT_OF_ORDER_SEQUENCE_NUMBER', 'UNKNOWN_TOPIC_OR_PARTITION', 'TOPIC_AUTHORIZATION_FAILED']
    assert.deepEqual(others.map(produceVerdict), ['recover', 'retry', 'hopeless'])
  })
})

describe('what the client library throws', () => {
  const cases: [thrown: object, code: string][] = [
    [{ name: 'KafkaJSConnectionError', message: 'refused', code: 'ECONNREFUSED' }, 'BROKER_UNAVAILABLE'],
    [{ name: 'KafkaJSRequestTimeoutError', message: 'late' }, 'BROKER_UNAVAILABLE'],
    [{ name: 'KafkaJSConnectionError', message: 'self-signed', code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }, 'AUTHORISATION'],
    [{ name: 'KafkaJSSASLAuthenticationError', message: 'wrong password' }, 'AUTHORISATION'],
    [{ name: 'KafkaJSProtocolError', message: 'no', type: 'NOT_LEADER_FOR_PARTITION' }, 'BROKER_UNAVAILABLE'],
    [{ name: 'KafkaJSServerDoesNotSupportApiKey', message: 'too old' }, 'BROKER_REFUSED'],
    [new TypeError('x is not a function'), 'BUG'],
  ]
  for (const [thrown, code] of cases) {
    it(`${(thrown as Error).name} (${(thrown as Error).message}) is ${code}`, () => {
      const error = clientError(thrown, 'Doing')
      assert.equal(error.code, code)
      assert.equal(error.cause, thrown)
      assert.match(error.message, /Doing/)
    })
  }
})

describe('waits between attempts', () => {
  it('double up to the longest, are drawn from their upper half, and begin anew after a success', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), random => {
        const backoff = new Backoff(createManualClock(), () => random, 100, 1_000)
        for (const ceiling of [100, 200, 400, 800, 1_000, 1_000]) {
          const wait = backoff.nextMs()
          assert.ok(wait >= ceiling / 2 && wait <= ceiling, `${wait} of ${ceiling}`)
        }
        backoff.reset()
        assert.ok(backoff.nextMs() <= 100)
      }),
    )
  })
})

describe('troubles', () => {
  it('tell the first that begins and the last that ends', () => {
    const told: string[] = []
    const troubles = new Troubles(silentLogger, first => void told.push(first?.code ?? 'well'))
    const failure = brokerError('REQUEST_TIMED_OUT', 'Asking')
    for (const what of ['a', 'b', 'a']) troubles.note(what, failure)
    troubles.note('a', undefined)
    assert.deepEqual(told, ['BROKER_UNAVAILABLE'])
    troubles.forget(what => what === 'b')
    assert.deepEqual(told, ['BROKER_UNAVAILABLE', 'well'])
    troubles.note('b', undefined)
    assert.equal(told.length, 2)
  })
})
