import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import { endMarker, valuesAt } from '../support/record-batches.ts'
import { answerWith, fetched, LONG_POLL_MS, scriptedReader as setup, zero } from '../support/scripted-reader.ts'

const NOT_LEADER = 6
const OFFSET_OUT_OF_RANGE = 1
const TOPIC_AUTHORIZATION_FAILED = 29

describe('the reader', () => {
  it('R1 polls all partitions of a broker at once, and goes on where the blocks ended', async () => {
    const { take, events } = await setup()
    const first = await take()
    assert.deepEqual([first!.maxWaitMs, first!.asked], [LONG_POLL_MS, ['t/0@0', 't/1@0']])
    first!.answer.resolve(answerWith(fetched(0, valuesAt(0, ['a', 'b'])), fetched(1, Buffer.alloc(0))))
    assert.deepEqual((await take())!.asked, ['t/0@2', 't/1@0'])
    assert.deepEqual(
      events.filter(event => !event.startsWith('broker')),
      ['0:1 a,b'],
    )
  })

  it('R1 has one poll per broker', async () => {
    const { fetches } = await setup([1, 2])
    assert.deepEqual(
      fetches.map(({ broker, asked }) => [broker, ...asked]),
      [
        [1, 't/0@0'],
        [2, 't/1@0'],
      ],
    )
  })

  it('R5 holds what comes for a paused partition, and tells it after resume without fetching it again', async () => {
    const { reader, take, events, clock } = await setup()
    const first = await take()
    reader.pause(zero)
    first!.answer.resolve(answerWith(fetched(0, valuesAt(0, ['a'])), fetched(1, valuesAt(0, ['x']))))
    assert.deepEqual((await take())!.asked, ['t/1@1'])
    assert.ok(!events.includes('0:1 a'))
    reader.resume(zero)
    assert.ok(!events.includes('0:1 a'), 'whoever resumes is not called back before it has finished')
    await clock.settle()
    assert.ok(events.includes('0:1 a'))
    const express = await take()
    assert.deepEqual([express!.maxWaitMs, express!.asked], [0, ['t/0@1']])
  })

  it('R5 drops what is beyond the limit, and fetches it again after resume, at once', async () => {
    const { reader, take, events } = await setup()
    const first = await take()
    reader.pause(zero)
    const large = valuesAt(0, ['a'.repeat(20_000)])
    first!.answer.resolve(answerWith(fetched(0, large), fetched(1, valuesAt(0, ['x']))))
    await take()
    reader.resume(zero)
    const express = await take()
    assert.deepEqual([express!.maxWaitMs, express!.asked], [0, ['t/0@0']])
    express!.answer.resolve(answerWith(fetched(0, valuesAt(0, ['a']))))
    await take()
    assert.ok(events.includes('0:1 a'))
  })

  it('R5 an answer that is held when the reader is halted is told when it goes on', async () => {
    const { reader, take, events, clock } = await setup()
    const first = await take()
    reader.pause(zero)
    first!.answer.resolve(answerWith(fetched(0, valuesAt(0, ['a']))))
    await take()
    reader.halt()
    reader.resume(zero)
    await clock.settle()
    assert.ok(!events.includes('0:1 a'))
    reader.run()
    await clock.settle()
    assert.ok(events.includes('0:1 a'))
  })

  it('R7 pauses behind a poll of many partitions that brought little, and then goes on with all of them', async () => {
    const { reader, take, events, clock } = await setup(new Array<number>(28).fill(1))
    const first = await take()
    assert.equal(first!.asked.length, 28)
    first!.answer.resolve(
      answerWith(...first!.asked.map((_, i) => fetched(i, i === 3 ? valuesAt(0, ['a']) : Buffer.alloc(0)))),
    )
    await clock.settle()
    assert.ok(events.includes('3:4 a'), 'what came is told before the pause')
    reader.pause(zero)
    reader.resume(zero)
    await clock.advance(1)
    assert.equal(await take(), undefined, 'nothing is fetched, over the second connection neither')
    await clock.advance(1)
    const second = await take()
    assert.deepEqual([second!.maxWaitMs, second!.asked.length], [LONG_POLL_MS, 28])
    assert.ok(second!.asked.includes('t/3@1'))
  })

  it('R7 fetches a partition that is assigned in a pause at once', async () => {
    const { reader, take, clock } = await setup(new Array<number>(28).fill(1))
    const first = await take()
    first!.answer.resolve(answerWith(...first!.asked.map((_, i) => fetched(i, valuesAt(0, ['a'])))))
    await clock.settle()
    reader.add([{ topic: 'u', partition: 0, epoch: 1, position: 0 }])
    assert.deepEqual((await take())!.asked, ['u/0@0'])
  })

  it('R7 does not pause behind much, behind nothing, or with few partitions', async () => {
    const much = valuesAt(0, ['a'.repeat(70_000)])
    for (const [partitions, records] of [
      [28, much],
      [28, Buffer.alloc(0)],
      [8, valuesAt(0, ['a'])],
    ] as const) {
      const { take } = await setup(new Array<number>(partitions).fill(1))
      const first = await take()
      first!.answer.resolve(answerWith(...first!.asked.map((_, i) => fetched(i, i === 0 ? records : Buffer.alloc(0)))))
      assert.equal((await take())!.asked.length, partitions)
    }
  })

  it('R2 takes a partition that two fetches bring only once', async () => {
    const { reader, take, events, clock } = await setup()
    const first = await take()
    reader.pause(zero)
    first!.answer.resolve(answerWith(fetched(0, Buffer.alloc(0)), fetched(1, Buffer.alloc(0))))
    const poll = await take()
    reader.resume(zero)
    const express = await take()
    express!.answer.resolve(answerWith(fetched(0, Buffer.alloc(0))))
    const waiting = await take()
    assert.deepEqual(waiting!.asked, ['t/0@0'])
    // The second connection merely waits, so the next long poll takes the partition as well.
    poll!.answer.resolve(answerWith(fetched(1, Buffer.alloc(0))))
    const both = await take()
    assert.deepEqual(both!.asked, ['t/0@0', 't/1@0'])
    waiting!.answer.resolve(answerWith(fetched(0, valuesAt(0, ['a', 'b']))))
    await clock.settle()
    both!.answer.resolve(answerWith(fetched(0, valuesAt(0, ['a', 'b'])), fetched(1, Buffer.alloc(0))))
    assert.deepEqual((await take())!.asked, ['t/0@2', 't/1@0'])
    assert.equal(events.filter(event => event === '0:1 a,b').length, 1)
  })

  it('R2 drops what was asked for under an epoch that ended', async () => {
    const { reader, take, events } = await setup()
    const first = await take()
    reader.remove([zero])
    reader.add([{ ...zero, epoch: 9, position: 0 }])
    first!.answer.resolve(answerWith(fetched(0, valuesAt(0, ['old']))))
    await take()
    assert.deepEqual(
      events.filter(event => event.startsWith('0:')),
      [],
    )
  })

  it('R2 is silent while it is halted, and then goes on from the same position', async () => {
    const { reader, take, events } = await setup()
    const first = await take()
    reader.halt()
    first!.answer.resolve(answerWith(fetched(0, valuesAt(0, ['a']))))
    assert.equal(await take(), undefined)
    assert.ok(!events.includes('0:1 a'))
    reader.run()
    assert.deepEqual((await take())!.asked, ['t/0@0', 't/1@0'])
  })

  it('R3 goes on behind control records, and says so with a block that has no records', async () => {
    const { take, events } = await setup()
    const first = await take()
    first!.answer.resolve(answerWith(fetched(0, endMarker('commit', 0, 7))))
    assert.deepEqual((await take())!.asked, ['t/0@1', 't/1@0'])
    assert.deepEqual(
      events.filter(event => event.startsWith('0:')),
      ['0:1 '],
    )
  })

  it('R4 a partition that moved is fetched from its new leader; the others do not wait', async () => {
    const { take, events, topic, clock, refreshes } = await setup()
    const first = await take()
    first!.answer.resolve(answerWith(fetched(0, Buffer.alloc(0), NOT_LEADER), fetched(1, valuesAt(0, ['x']))))
    const second = await take()
    assert.deepEqual([second!.broker, second!.asked], [1, ['t/1@1']])
    assert.ok(events.includes('1:2 x') && events.includes('t/0 BROKER_UNAVAILABLE'))
    topic.leaders[0] = 2
    await clock.advance(1_000)
    assert.ok(refreshes() > 0)
    const moved = await take()
    assert.deepEqual([moved!.broker, moved!.asked], [2, ['t/0@0']])
    moved!.answer.resolve(answerWith(fetched(0, valuesAt(0, ['a']))))
    await take()
    assert.ok(events.includes('0:1 a') && events.includes('t/0 well'))
  })

  it('waits after a broker failed, says so, and says when it works again', async () => {
    const { take, events, clock } = await setup()
    const first = await take()
    first!.answer.reject(new RunInferenceError('BROKER_UNAVAILABLE', 'gone'))
    await clock.settle()
    assert.ok(events.includes('broker 1 BROKER_UNAVAILABLE'))
    await clock.advance(2_000)
    assert.ok(events.at(-1) !== 'broker 1 well')
    const second = await take()
    second!.answer.resolve(answerWith())
    await clock.settle()
    assert.equal(events.filter(event => event.startsWith('broker 1')).at(-1), 'broker 1 well')
  })

  for (const [code, ours] of [
    [OFFSET_OUT_OF_RANGE, 'OFFSET_OUT_OF_RANGE'],
    [TOPIC_AUTHORIZATION_FAILED, 'AUTHORISATION'],
  ] as const) {
    it(`R6 stops for good at ${ours}, and does not begin again with the next generation`, async () => {
      const { reader, take, events, fetches, clock } = await setup()
      const first = await take()
      first!.answer.resolve(answerWith(fetched(0, Buffer.alloc(0), code)))
      await clock.settle()
      assert.ok(events.includes(`fatal ${ours}`))
      reader.run()
      await clock.advance(60_000)
      assert.deepEqual(fetches, [])
    })
  }

  it('R6 stops when records cannot be read', async () => {
    const { take, events, clock } = await setup()
    const damaged = valuesAt(0, ['a'])
    damaged[damaged.length - 1]! ^= 1
    const first = await take()
    first!.answer.resolve(answerWith(fetched(0, damaged)))
    await clock.settle()
    assert.ok(events.includes('fatal RECORDS_UNREADABLE'))
  })

  it('gives a topic up that stays missing, and not one that is missing for a moment', async () => {
    const { take, events, topic, clock, fetches } = await setup()
    const first = await take()
    first!.answer.resolve(answerWith())
    await clock.settle()
    Object.assign(topic, { errorCode: 3, leaders: [-1, -1] })
    fetches.shift()!.answer.resolve(answerWith())
    await clock.advance(29_000)
    assert.ok(!events.some(event => event.startsWith('fatal')))
    await clock.advance(3_000)
    assert.ok(events.includes('fatal TOPIC_MISSING'))
  })
})
