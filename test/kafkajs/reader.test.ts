import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import { AnswerReader } from '../../src/kafkajs/answer-reader.ts'
import type { FetchAnswer } from '../../src/kafkajs/fetch-request.ts'
import type { Protocol } from '../../src/kafkajs/internals.ts'
import { Reader } from '../../src/kafkajs/reader.ts'
import type { WirePayload } from '../../src/kafkajs/wire-payload.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { endMarker, valuesAt, valuesOf } from '../support/record-batches.ts'

const NOT_LEADER = 6
const OFFSET_OUT_OF_RANGE = 1
const TOPIC_AUTHORIZATION_FAILED = 29
const LONG_POLL_MS = 500

/** One fetch that waits for its answer. */
interface Fetch {
  readonly broker: number
  readonly maxWaitMs: number
  /** `topic/partition@offset` */
  readonly asked: readonly string[]
  readonly answer: PromiseWithResolvers<FetchAnswer>
}

/** A reader of t/0 and t/1 on broker 1; each fetch waits in `fetches` until the test answers it. */
async function setup(leaders = [1, 1]) {
  const clock = createManualClock()
  const events: string[] = []
  const fetches: Fetch[] = []
  let refreshes = 0
  let refreshed = () => {}
  const topic = { name: 't', errorCode: 0, leaders, replicationFactor: 1 }
  const reader = new Reader({
    cluster: {
      topic: () => topic,
      leader: (_topic, partition) => topic.leaders[partition]!,
      refresh: async () => {
        refreshes++
        refreshed()
      },
      onRefresh: listener => {
        refreshed = listener
        return () => {}
      },
      channel: broker => ({
        send: async <T>(protocol: Protocol<T>) => {
          const answer = Promise.withResolvers<FetchAnswer>()
          fetches.push({ broker, ...(await readRequest(protocol)), answer })
          return (await answer.promise) as T
        },
      }),
    },
    clock,
    random: () => 0.5,
    purpose: 'p',
    settings: { maxBytesPerPartition: 1_000, maxBytesPerFetch: 10_000, maxFetchWaitMs: LONG_POLL_MS },
    onBlock: (block, epoch) => void events.push(`${block.partition}:${epoch} ${valuesOf(block).join()}`),
    onTrouble: (what, failure) => void events.push(`${what} ${failure?.code ?? 'well'}`),
    onFatal: error => void events.push(`fatal ${error.code}`),
  })
  reader.run()
  reader.add([0, 1].map(partition => ({ topic: 't', partition, epoch: partition + 1, position: 0 })))
  await clock.settle()
  const take = async () => {
    await clock.settle()
    return fetches.shift()
  }
  return { clock, reader, events, fetches, take, topic, refreshes: () => refreshes }
}

async function readRequest(protocol: { readonly request: object }) {
  const { encode } = protocol.request as { encode(): Promise<WirePayload> }
  const bytes = Buffer.concat((await encode()).chunks)
  const maxWaitMs = bytes.readInt32BE(4)
  // Behind replica, three limits, isolation and session.
  const reader = new AnswerReader(bytes.subarray(25))
  const asked = reader.array(() => {
    const topic = reader.string()
    return reader.array(() => {
      const partition = reader.int32()
      reader.int32()
      const offset = reader.int64()
      reader.int64()
      reader.int32()
      return `${topic}/${partition}@${offset}`
    })
  })
  return { maxWaitMs, asked: asked.flat().sort() }
}

function fetched(partition: number, records: Buffer, errorCode = 0) {
  return {
    topic: 't',
    partition,
    errorCode,
    highWatermark: 100,
    lastStableOffset: 100,
    logStartOffset: 0,
    abortedTransactions: [],
    records,
  }
}

const answerWith = (...partitions: ReturnType<typeof fetched>[]): FetchAnswer => ({
  errorCode: 0,
  partitions,
  clientSideThrottleTime: 0,
})

const zero = { topic: 't', partition: 0 }

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

  it('R2 drops what comes for a paused partition, and fetches it again after resume, at once', async () => {
    const { reader, take, events } = await setup()
    const first = await take()
    reader.pause(zero)
    first!.answer.resolve(answerWith(fetched(0, valuesAt(0, ['a'])), fetched(1, valuesAt(0, ['x']))))
    assert.deepEqual((await take())!.asked, ['t/1@1'])
    assert.ok(!events.includes('0:1 a'))
    reader.resume(zero)
    const express = await take()
    assert.deepEqual([express!.maxWaitMs, express!.asked], [0, ['t/0@0']])
    express!.answer.resolve(answerWith(fetched(0, valuesAt(0, ['a']))))
    await take()
    assert.ok(events.includes('0:1 a'))
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
    it(`R5 stops for good at ${ours}, and does not begin again with the next generation`, async () => {
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

  it('R5 stops when records cannot be read', async () => {
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
