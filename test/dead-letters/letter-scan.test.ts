// Dead letters, read from their topics.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { deadLetterOf } from '../../src/dead-letters/dead-letter.ts'
import { letterRanges, scanLetters } from '../../src/dead-letters/letter-scan.ts'
import { NewestLetters } from '../../src/dead-letters/newest-letters.ts'
import type { Selection } from '../../src/dead-letters/selection.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { createMemoryBroker } from '../../src/testing/memory-broker.ts'
import { letterBlock, letterRecords } from '../support/letter-blocks.ts'
import { sealedBatch } from '../support/record-batches.ts'

const TOPIC = 'shop.classify.failed-inference'
const { signal } = new AbortController()

/** Two partitions of ten letters each; every other one has another code. */
async function stocked() {
  const port = createMemoryBroker({ clock: createManualClock() }).connect()
  const topic = { replicationFactor: 1, configs: {} }
  await port.admin.createTopics([
    { ...topic, name: TOPIC, partitions: 2 },
    { ...topic, name: 'empty', partitions: 1 },
  ])
  const writer = port.writer()
  const letters = Array.from({ length: 10 }, (_, i) => ({
    key: `k${i}`,
    facts: { code: i % 2 === 0 ? 'EVEN' : 'ODD' },
  }))
  const records = letterRecords(letters)
  await writer.send([sealedBatch(records, TOPIC, 0), sealedBatch(records, TOPIC, 1)])
  return port
}

async function found(selection: Selection, topics: readonly string[] = [TOPIC]): Promise<readonly string[]> {
  const port = await stocked()
  const places: string[] = []
  const ranges = await letterRanges(port, topics, selection)
  await scanLetters({ port, ranges, selection, signal }, ({ partition, offset }) => {
    places.push(`${partition}/${offset}`)
  })
  return places.sort()
}

describe('a scan of dead letters', () => {
  it('finds what is selected, of all partitions', async () => {
    assert.equal((await found({})).length, 20)
    assert.equal((await found({ codes: ['ODD'] }, [TOPIC, 'empty'])).length, 10)
    assert.deepEqual(await found({ codes: ['EVEN'], keys: ['k2', 'k3'] }), ['0/2', '1/2'])
  })

  it('reads no further than the letters that are named', async () => {
    const port = await stocked()
    const offsets = [{ of: 'letter' as const, topic: TOPIC, partition: 1, from: 3, until: 5 }]
    const ranges = await letterRanges(port, [TOPIC, 'empty'], { offsets })
    assert.deepEqual(ranges, [{ topic: TOPIC, partition: 1, from: 3, to: 5 }])
    assert.deepEqual(await found({ offsets }), ['1/3', '1/4'])
    // Of two that are told apart by where they were first read, all have to be looked at.
    const both = await letterRanges(port, [TOPIC], { offsets: [...offsets, { of: 'original', partition: 2 }] })
    assert.equal(both.length, 2)
  })

  it('ends at what was there at its begin, or when it is told to', async () => {
    const port = await stocked()
    const ranges = await letterRanges(port, [TOPIC])
    await port.writer().send([sealedBatch(letterRecords([{}]), TOPIC, 0)])
    let visited = 0
    const progress: number[] = []
    const onProgress = (done: number, all: number) => progress.push(done / all)
    assert.equal(await scanLetters({ port, ranges, selection: {}, signal, onProgress }, () => visited++), 20)
    assert.equal(progress.at(-1), 1)
    visited = 0
    assert.equal(await scanLetters({ port, ranges, selection: {}, signal }, () => ++visited < 3), 3)
  })
})

describe('the newest letters', () => {
  it('are those that a sort of all would bring, however many come', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { maxLength: 60 }), fc.nat(8), (times, limit) => {
        const block = letterBlock([{}, ...times.map(time => ({ facts: { 'failed-at': String(time) } }))])
        const newest = new NewestLetters<number>(limit)
        for (let row = 1; row < block.count; row++) newest.add(deadLetterOf(block, row), () => row - 1)
        const sorted = times.map((time, i) => ({ time, i })).sort((a, b) => b.time - a.time || b.i - a.i)
        assert.deepEqual(
          newest.list(),
          sorted.slice(0, limit).map(({ i }) => i),
        )
      }),
    )
  })
})
