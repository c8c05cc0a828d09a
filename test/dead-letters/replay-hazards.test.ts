// What could make a replay write letters twice, or never: what comes in its way at the wrong time.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { scanLetters } from '../../src/dead-letters/letter-scan.ts'
import { planReplay } from '../../src/dead-letters/replay-plan.ts'
import { replayGroup } from '../../src/dead-letters/replay-run.ts'
import { readTime } from '../../src/dead-letters/selection-words.ts'
import { RunInferenceError } from '../../src/errors.ts'
import type { KafkaPort, ScanRange } from '../../src/kafka/port.ts'
import { letterRecords } from '../support/letter-blocks.ts'
import { sealedBatch } from '../support/record-batches.ts'
import { keysOf, LETTERS, numbered, REPLAY, replayWorld } from '../support/replay-world.ts'

/** A scan that its caller ends, ends as if all had been read: a real one may. */
function endingEarly(port: KafkaPort, before: (ranges: readonly ScanRange[]) => void = () => {}): KafkaPort {
  return {
    ...port,
    async *scan(ranges, { signal } = {}) {
      before(ranges)
      if (signal?.aborted) return
      for await (const block of port.scan(ranges)) {
        yield block
        if (signal?.aborted) return
      }
    },
  }
}

describe('a replay that is ended at the wrong time', () => {
  it('R4 leaves no letter as lost whose value was just being read', async () => {
    const value = 'a long one'
    const sha256 = createHash('sha256').update(value).digest('hex')
    const leftOut = { 'value-bytes': '10', 'value-sha256': sha256, 'original-partition': '1', 'original-offset': '0' }
    const { port, start, run, over, instance, written } = await replayWorld([])
    await instance()
    const record = { timestamp: 1, key: null, value: Buffer.from(value), headers: [] }
    await port.writer().send([sealedBatch([record], 'orders', 1)])
    const letters = [{ key: 'large', value: null, facts: leftOut }, { key: 'small' }]
    await port.writer().send([sealedBatch(letterRecords(letters), LETTERS, 0)])
    const ctrlC = new AbortController()
    const interrupted = endingEarly(port, ranges => ranges.some(({ topic }) => topic === 'orders') && ctrlC.abort())
    const first = await over(start({}, { limit: 1 }, { port: interrupted, signal: ctrlC.signal }))
    assert.deepEqual([first.end, first.counts.lost], ['stopped', 0])
    const { counts } = await run()
    assert.deepEqual(counts, { replayed: 2, parked: 0, lost: 0 })
    assert.deepEqual(keysOf(await written(REPLAY)), ['large', 'small'])
  })

  it('S2 says how far it came also when the answer to its last commit was lost: nobody writes these letters again', async () => {
    const { port, start, run, over, instance, written, audit } = await replayWorld(numbered(9))
    await instance()
    const ctrlC = new AbortController()
    const lastAnswerLost: KafkaPort = {
      ...port,
      transactionalWriter(options) {
        const writer = port.transactionalWriter(options)
        let commits = 0
        const commit = async () => {
          await writer.commit()
          // The first one is that of the audit.
          if (++commits !== 2) return
          ctrlC.abort()
          throw new RunInferenceError('TRANSACTION_LOST', 'says the test')
        }
        const [fence, send, abort, close] = [writer.fence, writer.send, writer.abort, writer.close]
        const rest = { fence, send, abort, close, sendOffsets: writer.sendOffsets }
        for (const name of Object.keys(rest) as (keyof typeof rest)[]) rest[name] = rest[name].bind(writer) as never
        return { ...rest, commit }
      },
    }
    const { end, counts } = await over(start({}, { rate: 4 }, { port: lastAnswerLost, signal: ctrlC.signal }))
    assert.deepEqual([end, counts.replayed, (await written(REPLAY)).length], ['stopped', 1, 1])
    const stopped = (await audit()).at(-1)!
    assert.ok(stopped.kind === 'stopped' && stopped.counts.replayed === 1)
    assert.equal((await run({ name: 'other', onlyOpen: true })).counts.replayed, 8)
    assert.deepEqual(keysOf(await written(REPLAY)), keysOf(numbered(9).map(({ key }) => ({ key: String(key) }))))
  })

  it('a scan of letters that is ended counts nothing as if it were all', async () => {
    const { port } = await replayWorld(numbered(9))
    const ctrlC = new AbortController()
    const ranges = [{ topic: LETTERS, partition: 0, from: 0, to: 3 }]
    const scan = { port: endingEarly(port), ranges, selection: {}, signal: ctrlC.signal }
    await assert.rejects(
      scanLetters(scan, () => ctrlC.abort()),
      { code: 'CLOSED' },
    )
  })
})

describe('a replay whose topics change below it', () => {
  it('R1 ends, and is planned, where its dead-letter topic was made anew and ends before its bounds', async () => {
    const { port, run, over, parts, add, instance } = await replayWorld(numbered(9))
    await instance()
    await run({}, { limit: 1 })
    await port.admin.deleteTopics([LETTERS])
    await port.admin.createTopics([{ name: LETTERS, partitions: 3, replicationFactor: 1, configs: {} }])
    await add([{ key: 'of the new topic' }])
    const plan = await over(planReplay(parts(), { name: 'night' }))
    assert.ok(plan.seen <= 1, `${plan.seen} letters`)
    assert.equal((await run()).end, 'finished')
  })

  it('R1 leaves no backlog where the last letters were never committed', async () => {
    const { port, run, instance } = await replayWorld(numbered(3))
    await instance()
    const writer = port.transactionalWriter({ transactionalId: 'an instance', timeoutMs: 60_000 })
    await writer.fence()
    await writer.send([sealedBatch(letterRecords([{ key: 'aborted' }]), LETTERS, 0)])
    await writer.abort()
    // Fetches that bring no letter bring no block.
    const oneByOne: KafkaPort = {
      ...port,
      async *scan(ranges, options) {
        for (const { topic, partition, from, to } of ranges)
          if (typeof from !== 'number' || typeof to !== 'number')
            yield* port.scan([{ topic, partition, from, to }], options)
          else
            for (let at = from; at < to; at++) yield* port.scan([{ topic, partition, from: at, to: at + 1 }], options)
      },
    }
    const { counts, positions } = await run({}, {}, { port: oneByOne })
    assert.equal(counts.replayed, 3)
    const ends = (await port.admin.offsets(LETTERS)).map(({ end }) => end)
    assert.equal(ends[0], 3, 'a letter, one that was aborted, and its marker')
    assert.deepEqual(positions[LETTERS], ends)
    assert.deepEqual(await port.admin.committed(replayGroup('shop', 'night'), LETTERS), ends)
  })
})

describe('a replay that the broker refuses a letter of', () => {
  it('R4 writes the others at most twice, at_least_once, however long it is looked for', async () => {
    const { broker, port, run, instance, written } = await replayWorld([])
    await instance()
    for (const partition of [0, 1, 2]) {
      const of = (i: number) => ({ key: `${partition} ${i}.`, facts: { 'original-partition': String(partition) } })
      await port
        .writer()
        .send([sealedBatch(letterRecords(Array.from({ length: 200 }, (_, i) => of(i))), LETTERS, partition)])
    }
    broker.refuse(({ topic, bytes }) => topic === REPLAY && bytes.includes('2 77.'), 'MESSAGE_TOO_LARGE')
    assert.deepEqual((await run({ guarantee: 'at_least_once' })).counts, { replayed: 599, parked: 0, lost: 1 })
    const times = new Map<string, number>()
    for (const { key } of await written(REPLAY)) times.set(key, (times.get(key) ?? 0) + 1)
    assert.equal(times.size, 599)
    assert.ok(Math.max(...times.values()) <= 2, `${Math.max(...times.values())} times`)
  })
})

describe('a replay with a rate', () => {
  it('is no faster behind an outage than before it', async () => {
    const { broker, clock, start, over, instance } = await replayWorld(numbered(60))
    await instance()
    const times: number[] = []
    let isDown = false
    const troubles = new Set<string>()
    const onTrouble = ({ code }: { readonly code: string }) => troubles.add(code)
    const onProgress = () => {
      times.push(clock.now())
      if (times.length !== 5) return
      isDown = true
      broker.down()
    }
    const slow = start({}, { rate: 4, onProgress, onTrouble })
    slow.catch(() => {})
    while (!isDown) await clock.advance(250)
    await clock.advance(120_000)
    broker.up()
    assert.equal((await over(slow)).end, 'finished')
    assert.ok(troubles.size > 0, 'it says what it waits for')
    const behind = times.slice(5)
    const perSecond = Math.max(...behind.map(from => behind.filter(at => at >= from && at < from + 3_000).length)) / 3
    assert.ok(perSecond <= 6, `${perSecond} letters a second where 4 are allowed`)
  })
})

describe('the audit of a replay that begins', () => {
  it('K3 is never given what it could not read again: nothing is written', async () => {
    const { run, instance, audit, written } = await replayWorld(numbered(3))
    await instance()
    for (const wish of [
      { reason: 'half \ud800' },
      { selection: { failedFrom: -1 } },
      { selection: { keys: ['\udc00'] } },
    ])
      await assert.rejects(run(wish), { code: 'REPLAY_REFUSED', message: /cannot be told of/ })
    assert.deepEqual([await audit(), await written(REPLAY)], [[], []])
    assert.equal((await run()).counts.replayed, 3)
  })

  it('has times since 1970: what failed in the last 300 years is all of it', () => {
    assert.equal(readTime('110000d', 1_773_000_000_000), 0)
    assert.equal(readTime('1969-07-20T20:17:00Z', 0), 0)
    assert.equal(readTime('2s', 5_000), 3_000)
  })
})
