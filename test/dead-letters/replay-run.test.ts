// One run of a replay, R1 to R5, on a broker in memory.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { letterRanges } from '../../src/dead-letters/letter-scan.ts'
import type { ReplayOrder } from '../../src/dead-letters/replay-audit.ts'
import { readProgress } from '../../src/dead-letters/replay-progress.ts'
import { type ReplayResult, type ReplayRunParts, replayGroup, runReplay } from '../../src/dead-letters/replay-run.ts'
import { RunInferenceError } from '../../src/errors.ts'
import type { KafkaPort } from '../../src/kafka/port.ts'
import type { Header } from '../../src/kafka/record-block.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { createMemoryBroker } from '../../src/testing/memory-broker.ts'
import { letterRecords, type TestLetter } from '../support/letter-blocks.ts'
import { sealedBatch } from '../support/record-batches.ts'

const LETTERS = 'shop.classify.failed-inference'
const REPLAY = 'shop.orders.replay'
const PARKED = 'shop.parked'
const RUN = 'night'

interface Written {
  readonly place: string
  readonly key: string
  readonly headers: readonly string[]
}

async function setUp(letters: readonly TestLetter[]) {
  const clock = createManualClock()
  const broker = createMemoryBroker({ clock })
  const port = broker.connect()
  const shape = { partitions: 3, replicationFactor: 1, configs: {} }
  await port.admin.createTopics([LETTERS, REPLAY, PARKED, 'orders', 'elsewhere'].map(name => ({ ...shape, name })))
  const writer = port.writer()
  const add = async (more: readonly TestLetter[]) => {
    // A batch of one each: a run meets many blocks.
    for (const [i, record] of letterRecords(more).entries()) await writer.send([sealedBatch([record], LETTERS, i % 3)])
  }
  await add(letters)
  const ranges = await letterRanges(port, [LETTERS])
  const ends = [0, 1, 2].map(partition => ranges.find(range => range.partition === partition)?.to ?? 0)

  async function written(topic: string): Promise<readonly Written[]> {
    const found: Written[] = []
    const all = [0, 1, 2].map(partition => ({ topic, partition, from: 'earliest' as const, to: 'end' as const }))
    for await (const block of port.scan(all))
      for (let row = 0; row < block.count; row++)
        found.push({
          place: `${block.topic}/${block.partition}`,
          key: String(block.key(row)),
          headers: block.headers(row).map(([name]) => name),
        })
    return found
  }

  async function start(
    order: Partial<ReplayOrder> = {},
    parts: Partial<ReplayRunParts> = {},
    outputs: Readonly<Record<string, number>> = {},
  ): Promise<ReplayResult> {
    const whole: ReplayOrder = {
      ...{ selection: {}, bounds: { [LETTERS]: ends }, target: { kind: 'replay' }, maxReplays: 3 },
      ...{ guarantee: 'exactly_once', setHeaders: {}, ...order },
    }
    const claimed = port.transactionalWriter({ transactionalId: replayGroup('shop', RUN), timeoutMs: 60_000 })
    const topics = [REPLAY, PARKED, 'orders', 'elsewhere'].map(
      name => [name, { partitions: 3, maxMessageBytes: outputs[name] ?? 1e6 }] as const,
    )
    try {
      return await runReplay({
        ...{ port, run: RUN, applicationId: 'shop', topology: 'shop', sources: new Set(['orders']), clock },
        ...{ random: () => 0.5, topics: new Map(topics), signal: new AbortController().signal, order: whole },
        claim: { writer: claimed, hold: () => claimed.fence() },
        progress: () => readProgress(port, 'shop', RUN, whole),
        tellLost: async () => {},
        ...parts,
      })
    } finally {
      await claimed.close()
    }
  }

  /** Lets time pass until it is over. */
  async function over<T>(work: Promise<T>): Promise<T> {
    let isOver = false
    const mark = () => {
      isOver = true
    }
    work.then(mark, mark)
    for (let i = 0; i < 10_000 && !isOver; i++) await clock.advance(250)
    return work
  }
  return {
    broker,
    port,
    clock,
    add,
    written,
    over,
    run: (...args: Parameters<typeof start>) => over(start(...args)),
    start,
  }
}

const keysOf = (list: readonly Written[]) => list.map(({ key }) => key).sort()
const numbered = (count: number): readonly TestLetter[] =>
  Array.from({ length: count }, (_, i) => ({ key: `k${i}`, facts: { 'original-partition': String(i % 3) } }))

describe('a run of a replay', () => {
  for (const guarantee of ['at_least_once', 'exactly_once'] as const)
    it(`R1 writes what is selected below its bounds once, where it was first read, ${guarantee}`, async () => {
      const { run, written, add, port } = await setUp(numbered(20))
      await add([{ key: 'too late' }])
      const selection = { keys: Array.from({ length: 10 }, (_, i) => `k${i}`) }
      const { end, counts } = await run({ guarantee, selection })
      assert.deepEqual({ end, counts }, { end: 'finished', counts: { replayed: 10, parked: 0, lost: 0 } })
      const found = await written(REPLAY)
      assert.deepEqual(keysOf(found), [...selection.keys].sort())
      for (const { key, place } of found) assert.equal(place, `${REPLAY}/${Number(key.slice(1)) % 3}`)
      assert.deepEqual(await port.admin.committed(replayGroup('shop', RUN), LETTERS), [7, 7, 6])
      // Of that name there is nothing left to do, and what was done is known.
      assert.deepEqual((await run({ guarantee, selection })).counts, { replayed: 10, parked: 0, lost: 0 })
      assert.equal((await written(REPLAY)).length, 10)
    })

  it('R1 goes on where it was ended, in any steps, and writes every letter once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(30),
        fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 5 }),
        fc.integer({ min: 1, max: 8 }),
        async (count, limits, sliceLetters) => {
          const { run, written } = await setUp(numbered(count))
          for (const limit of limits) await run({}, { limit, sliceLetters })
          const { end } = await run({}, { sliceLetters })
          assert.equal(end, 'finished')
          assert.deepEqual(
            keysOf(await written(REPLAY)),
            numbered(count)
              .map(({ key }) => String(key))
              .sort(),
          )
        },
      ),
      { numRuns: 40 },
    )
  })

  it('R1 writes every letter once, whatever fails on the way', async () => {
    const points = ['transactionSend', 'sendOffsets', 'endTransaction', 'fence'] as const
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ point: fc.constantFrom(...points), isLost: fc.boolean() }), { maxLength: 6 }),
        // Of letters over three partitions: slices that end within a block, and such that have several.
        fc.integer({ min: 1, max: 8 }),
        async (faults, sliceLetters) => {
          const { run, written, broker } = await setUp(numbered(12))
          for (const { point, isLost } of faults) {
            if (isLost) broker.loseResponse(1, point)
            else broker.failNext(point, new RunInferenceError('TRANSACTION_LOST', 'says the test'))
          }
          const { end } = await run({}, { sliceLetters })
          assert.equal(end, 'finished')
          assert.deepEqual(
            keysOf(await written(REPLAY)),
            numbered(12)
              .map(({ key }) => String(key))
              .sort(),
          )
        },
      ),
      { numRuns: 60 },
    )
  })

  it('R1 commits several blocks together, and each partition with its own counts', async () => {
    for (const guarantee of ['at_least_once', 'exactly_once'] as const) {
      const { run, port } = await setUp(numbered(20))
      const progress: number[] = []
      const oneByOne = {
        ...port,
        async *scan(ranges: readonly { topic: string; partition: number; from: number; to: number }[]) {
          for (const range of ranges)
            for (let from = range.from; from < range.to; from++) yield* port.scan([{ ...range, from, to: from + 1 }])
        },
      } as KafkaPort
      await run({ guarantee }, { port: oneByOne, sliceLetters: 8, onProgress: done => progress.push(done) })
      assert.deepEqual(progress, [8, 16, 20])
      const commits = await port.admin.commits(replayGroup('shop', RUN), LETTERS)
      assert.deepEqual(
        commits,
        [7, 7, 6].map(offset => ({ offset, metadata: `${offset} 0 0` })),
      )
    }
  })

  it('R2 is ended by another one of its name', async () => {
    const { start, over, written } = await setUp(numbered(9))
    const slow = start({}, { rate: 4 })
    slow.catch(() => {})
    await over(Promise.resolve())
    const quick = await over(start())
    assert.equal(quick.end, 'finished')
    await assert.rejects(over(slow), { code: 'TRANSACTION_FENCED' })
    assert.deepEqual(
      keysOf(await written(REPLAY)),
      numbered(9)
        .map(({ key }) => String(key))
        .sort(),
    )
  })

  it('R3 parks what was replayed too often, as it is', async () => {
    const { run, written } = await setUp([
      { key: 'again', facts: { 'replay-count': '2' } },
      { key: 'too often', facts: { 'replay-count': '3' } },
    ])
    assert.deepEqual((await run()).counts, { replayed: 1, parked: 1, lost: 0 })
    assert.deepEqual(keysOf(await written(REPLAY)), ['again'])
    const [parked] = await written(PARKED)
    assert.equal(parked!.key, 'too often')
    assert.ok(parked!.headers.includes('kri-error-message'))
  })

  it('R4 leaves what cannot be written again, and tells of it', async () => {
    const { run, written } = await setUp([
      { key: 'other', facts: { 'original-topic': 'payments' } },
      { key: 'nowhere', facts: { 'original-topic': undefined } },
      { key: 'gone', value: null, facts: { 'value-bytes': '3', 'value-sha256': 'ab' } },
      { key: 'good' },
    ])
    const reasons: string[] = []
    const onLost = (_: unknown, why: string) => reasons.push(why)
    assert.deepEqual((await run({}, { onLost })).counts, { replayed: 1, parked: 0, lost: 3 })
    assert.deepEqual(keysOf(await written(REPLAY)), ['good'])
    for (const pattern of [
      /payments, which the topology does not read/,
      /does not say which topic/,
      /not there any more/,
    ])
      assert.ok(
        reasons.some(reason => pattern.test(reason)),
        String(pattern),
      )
  })

  it('reads a value that was left out where it was first read, if it is still that one', async () => {
    const value = 'a long one'
    const sha256 = createHash('sha256').update(value).digest('hex')
    const facts = { 'value-bytes': '10', 'original-partition': '1', 'original-offset': '0' }
    const { run, port, written } = await setUp([
      { key: 'right', value: null, facts: { ...facts, 'value-sha256': sha256 } },
      { key: 'other', value: null, facts: { ...facts, 'value-sha256': sha256.replace(/^./, 'x') } },
    ])
    const record = { timestamp: 1, key: null, value: Buffer.from(value), headers: [] as Header[] }
    await port.writer().send([sealedBatch([record], 'orders', 1)])
    assert.deepEqual((await run()).counts, { replayed: 1, parked: 0, lost: 1 })
    const [found] = await written(REPLAY)
    assert.equal(found!.key, 'right')
    assert.equal(found!.headers.includes('kri-value-bytes'), false)
  })

  it('to any other topic it writes no header of ours, and those that were asked for', async () => {
    const { run, written } = await setUp([{ key: 'a', carried: [['b', null]] }])
    await run({ target: { kind: 'topic', topic: 'elsewhere' }, setHeaders: { c: 'x' } })
    assert.deepEqual(
      (await written('elsewhere')).map(({ headers }) => headers),
      [['b', 'c']],
    )
    const second = await setUp([{ key: 'a', carried: [['b', null]] }])
    await second.run({ target: { kind: 'source' } })
    assert.deepEqual(
      (await second.written('orders')).map(({ place, headers }) => [place, headers]),
      [['orders/2', ['b']]],
    )
  })

  it('keeps to its rate', async () => {
    const { run, clock } = await setUp(numbered(30))
    const before = clock.now()
    await run({}, { rate: 2 })
    const seconds = (clock.now() - before) / 1_000
    assert.ok(seconds >= 14.5 && seconds < 20, `${seconds} s for 30 letters at 2 a second`)
  })
})
