import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { AnswerFrames } from '../../src/kafkajs/answer-frames.ts'

test('answers come out whole and in order, however the stream is cut, also from a buffer that is used again', () => {
  const answers = fc.array(fc.uint8Array({ minLength: 4, maxLength: 40 }), { maxLength: 8 })
  fc.assert(
    fc.property(answers, fc.infiniteStream(fc.integer({ min: 1, max: 17 })), (sent, cuts) => {
      const stream = Buffer.concat(
        sent.flatMap(answer => {
          const size = Buffer.alloc(4)
          size.writeInt32BE(answer.length)
          return [size, answer]
        }),
      )
      const got: Buffer[] = []
      const frames = new AnswerFrames(answer => got.push(answer))
      const reused = Buffer.alloc(17)
      for (let at = 0; at < stream.length; ) {
        const { value } = cuts.next()
        const copied = stream.copy(reused, 0, at, at + value)
        frames.push(reused.subarray(0, copied))
        at += copied
      }
      reused.fill(0xff)
      assert.deepEqual(
        got.map(answer => [...answer]),
        sent.map(answer => [...answer]),
      )
    }),
  )
})

test('something that is no broker is refused before memory is taken for it', () => {
  const frames = new AnswerFrames(() => assert.fail('no answer'))
  assert.throws(
    () => frames.push(Buffer.from('HTTP/1.1 400 Bad Request')),
    /BROKER_REFUSED.*does not speak Kafka.*"HTTP"/,
  )
})
