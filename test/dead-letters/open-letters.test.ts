// Which dead letters no replay has handled: C1 to C3 of the claims, O1 to O3 of the check.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { deadLetterOf } from '../../src/dead-letters/dead-letter.ts'
import { scanLetters } from '../../src/dead-letters/letter-scan.ts'
import { isOpen, openLetters } from '../../src/dead-letters/open-letters.ts'
import { type AuditRecord, encodeAudit, type ReplayOrder } from '../../src/dead-letters/replay-audit.ts'
import type { RunClaim } from '../../src/dead-letters/run-claims.ts'
import { type Selection, selects } from '../../src/dead-letters/selection.ts'
import { replayGroup } from '../../src/kafka/topic-names.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { createMemoryBroker } from '../../src/testing/memory-broker.ts'
import { letterBlock, letterRecords } from '../support/letter-blocks.ts'
import { sealedBatch } from '../support/record-batches.ts'

const TOPIC = 'shop.classify.failed-inference'
const AUDIT = 'shop.audit'
const { signal } = new AbortController()
const AT = '2026-01-02T03:04:05Z'
const COUNTS = { replayed: 0, parked: 0, lost: 0 }

const order = (bounds: readonly number[], selection: Selection = {}): ReplayOrder => ({
  ...{ selection, bounds: { [TOPIC]: bounds }, target: { kind: 'replay' }, maxReplays: 3 },
  ...{ guarantee: 'at_least_once', setHeaders: {} },
})
const base = (run: string) => ({ run, by: 'me', at: AT })
const started = (run: string, ...args: Parameters<typeof order>): AuditRecord => ({
  ...base(run),
  kind: 'started',
  order: order(...args),
})
const resumed = (run: string, ...args: Parameters<typeof order>): AuditRecord => ({
  ...base(run),
  kind: 'resumed',
  order: order(...args),
})
const ended = (
  run: string,
  kind: 'finished' | 'stopped' | 'cancelled',
  positions?: readonly number[],
): AuditRecord => ({
  ...{ ...base(run), kind, counts: COUNTS },
  ...(positions && { positions: { [TOPIC]: positions } }),
})

/** Two partitions of ten letters each, what is in the audit, and what groups of runs have committed. */
async function open(
  audit: readonly (AuditRecord | string)[],
  committed: Readonly<Record<string, readonly [number, number]>> = {},
) {
  const port = createMemoryBroker({ clock: createManualClock() }).connect()
  const topic = { replicationFactor: 1, configs: {} }
  await port.admin.createTopics([
    { ...topic, name: TOPIC, partitions: 2 },
    { ...topic, name: AUDIT, partitions: 1 },
  ])
  const writer = port.writer()
  const letters = letterRecords(
    Array.from({ length: 10 }, (_, i) => ({ key: `k${i}`, facts: { code: i % 2 === 0 ? 'EVEN' : 'ODD' } })),
  )
  await writer.send([sealedBatch(letters, TOPIC, 0), sealedBatch(letters, TOPIC, 1)])
  const records = audit.map(record => ({
    ...{ timestamp: 1, key: Buffer.from('run'), headers: [] },
    value: typeof record === 'string' ? Buffer.from(record) : encodeAudit(record),
  }))
  if (records.length > 0) await writer.send([sealedBatch(records, AUDIT, 0)])
  for (const [run, offsets] of Object.entries(committed)) {
    const transactionalId = replayGroup('shop', run)
    const of = port.transactionalWriter({ transactionalId, timeoutMs: 1_000 })
    await of.fence()
    const places = offsets.map((offset, partition) => ({ topic: TOPIC, partition, offset }))
    await of.sendOffsets(transactionalId, places)
    await of.commit()
    await of.close()
  }
  const bad: string[] = []
  const onBad = ({ code }: { code: string }) => bad.push(code)
  const isOpen = await openLetters({ port, applicationId: 'shop', topics: [TOPIC], signal, onBad })
  const places: string[] = []
  const ranges = [0, 1].map(partition => ({ topic: TOPIC, partition, from: 0, to: 10 }))
  await scanLetters({ port, ranges, selection: {}, isOpen, signal }, ({ partition, offset }) => {
    places.push(`${partition}/${offset}`)
  })
  return { places: places.sort(), bad }
}

const from = (partition: number, first: number, step = 1) =>
  Array.from({ length: 10 }, (_, i) => i).flatMap(i => (i >= first && i % step === 0 ? [`${partition}/${i}`] : []))
const ALL = [...from(0, 0), ...from(1, 0)]

describe('open letters', () => {
  it('are all, as long as nobody has replayed any', async () => {
    assert.deepEqual(await open([]), { places: ALL, bad: [] })
  })

  it('C1 a run that finished has handled what it selects below its bounds', async () => {
    const { places } = await open([started('a', [7, 10], { codes: ['ODD'] }), ended('a', 'finished')])
    assert.deepEqual(places, [
      ...from(0, 0).filter(each => Number(each.slice(2)) % 2 === 0 || each >= '0/7'),
      ...from(1, 0, 2),
    ])
  })

  it('C1 one that runs, or was killed, has handled what its group has committed, below its bounds', async () => {
    const { places } = await open([started('a', [7, 10])], { a: [9, 4] })
    assert.deepEqual(places, [...from(0, 7), ...from(1, 4)])
    const again = await open([started('a', [7, 10]), ended('a', 'stopped', [1, 1]), resumed('a', [7, 10])], {
      a: [3, 4],
    })
    assert.deepEqual(again.places, [...from(0, 3), ...from(1, 4)])
  })

  it('C1 one that was stopped or cancelled has handled what it says, also when brokers have forgotten its group', async () => {
    for (const kind of ['stopped', 'cancelled'] as const) {
      const { places } = await open([started('a', [10, 10]), ended('a', kind, [3, 0])])
      assert.deepEqual(places, [...from(0, 3), ...from(1, 0)], kind)
      const untold = await open([started('a', [10, 10]), ended('a', kind)], { a: [3, 2] })
      assert.deepEqual(untold.places, [...from(0, 3), ...from(1, 2)], kind)
    }
  })

  it('C2 what cannot be read is told, and left out: letters stay open', async () => {
    const { places, bad } = await open(['{', started('a', [5, 5]), ended('a', 'finished'), ended('b', 'finished')])
    assert.deepEqual({ places, bad }, { places: [...from(0, 5), ...from(1, 5)], bad: ['AUDIT_INVALID'] })
  })

  it('C3 a name that is used anew takes nothing of what its group has committed since', async () => {
    const codes = { codes: ['ODD'] }
    const first = [started('a', [10, 10], codes), ended('a', 'stopped', [2, 2])]
    const { places } = await open([...first, started('a', [10, 10], { codes: ['EVEN'] })], { a: [10, 10] })
    assert.deepEqual(
      places,
      [0, 1].flatMap(partition => from(partition, 2).filter(each => Number(each.slice(2)) % 2 === 1)),
    )
  })

  it('C4 what a run has left where it is is open, until another one of the same selection has handled it', async () => {
    const left = (...spans: [number, number][]): AuditRecord => ({
      ...{ ...base('a'), kind: 'lost', count: 3, why: 'gone', letters: [{ topic: TOPIC, partition: 1, spans }] },
    })
    const first = [started('a', [10, 10]), left([1, 2]), left([4, 6]), ended('a', 'finished')]
    assert.deepEqual((await open(first)).places, ['1/1', '1/4', '1/5'])
    // Also of one that was killed: it is told with what is committed.
    const killed = await open([started('a', [10, 10]), left([1, 2])], { a: [10, 3] })
    assert.deepEqual(killed.places, ['1/1', ...from(1, 3)])
    const second = [started('b', [5, 5]), ended('b', 'finished')]
    assert.deepEqual((await open([...first, ...second])).places, ['1/5'])
    assert.deepEqual((await open([...second, ...first])).places, ['1/5'])
    const others = [started('b', [10, 10], { codes: ['ODD'] }), ended('b', 'finished')]
    assert.deepEqual((await open([...first, ...others])).places, ['1/4'])
  })

  it('an edited letter is handled, no other one', async () => {
    const letter = { topic: TOPIC, partition: 1, offset: 3 }
    const target = { topic: 'shop.orders.replay', partition: 0 }
    const { places } = await open([{ ...base('edit'), kind: 'edited', letter, target, changed: ['value'] }])
    assert.deepEqual(
      places,
      ALL.filter(each => each !== '1/3'),
    )
  })
})

describe('the check of open letters', () => {
  const claim = (selection: Selection, until: number, startedAt = Date.parse(AT)): RunClaim => ({
    ...{ selection, startedAt, places: [{ topic: TOPIC, partition: 0, until }] },
  })

  it('O1 is what one claim after the other would say, however many there are', () => {
    const selection: fc.Arbitrary<Selection> = fc.oneof(
      fc.constant({}),
      fc.record({ codes: fc.constantFrom(['A'], ['B'], ['A', 'B']) }),
      fc.record({
        offsets: fc.array(
          fc.record(
            {
              of: fc.constantFrom('letter', 'original'),
              partition: fc.nat(1),
              from: fc.nat(3_000),
              until: fc.nat(3_000),
            },
            { requiredKeys: ['of', 'partition'] },
          ),
          { maxLength: 3 },
        ),
      }),
    )
    const claims = fc.array(fc.record({ selection, until: fc.nat(3_000), startedAt: fc.constantFrom(0, 1_000_000) }), {
      maxLength: 12,
    })
    const at = [0, 1, 500, 1_023, 1_024, 1_025, 2_047, 2_048, 2_999]
    const letters = ['A', 'B'].flatMap(code =>
      at.map(base => letterBlock([{ facts: { code, 'original-partition': '0' } }], TOPIC, base)),
    )
    fc.assert(
      fc.property(claims, fc.constantFrom(0, 700_000), (list, writtenAt) => {
        const check = isOpen(list.map(({ selection, until, startedAt }) => claim(selection, until, startedAt)))
        for (const block of letters) {
          const letter = { ...deadLetterOf(block, 0), writtenAt }
          const isHandled = list.some(
            ({ selection, until, startedAt }) =>
              letter.offset < until && writtenAt < startedAt + 600_000 && selects(selection)(letter, block, 0),
          )
          assert.equal(check(letter, block, 0), !isHandled, `${letter.code} at ${letter.offset}`)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('O2 a topic that was made anew has open letters again', () => {
    const block = letterBlock([{}], TOPIC)
    const check = isOpen([claim({}, 10)])
    const letter = deadLetterOf(block, 0)
    assert.equal(check(letter, block, 0), false)
    assert.equal(check({ ...letter, writtenAt: Date.parse(AT) + 3_600_000 }, block, 0), true)
  })

  it('O3 asks nothing of runs that ended below a letter, named other ones, or selected the same', () => {
    let asked = 0
    const block = letterBlock([{}], TOPIC, 5_000)
    const counted = new Proxy(deadLetterOf(block, 0), {
      get: (letter, name) => {
        if (name === 'code') asked++
        return Reflect.get(letter, name)
      },
    })
    const many = Array.from({ length: 1_000 }, (_, i) => i)
    const one = (from: number) => ({ of: 'letter' as const, topic: TOPIC, partition: 0, from, until: from + 1 })
    const codes = ['OTHER']
    const check = isOpen([
      ...many.map(i => claim({ codes, text: `below ${i}` }, 5_000 - i)),
      ...many.map(i => claim({ codes, offsets: [one(4_000 + i)] }, 9_000)),
      ...many.map(i => claim({ codes }, 9_000 + i, Date.parse(AT) + i)),
    ])
    assert.equal(check(counted, block, 0), true)
    assert.equal(asked, 1)
  })
})
