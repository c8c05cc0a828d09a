import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Clock } from '../../src/ops/clock.ts'
import { type FollowOptions, followMetadata } from '../../src/refresh/metadata-follower.ts'
import { readMetadata } from '../../src/refresh/metadata-log.ts'
import type { MetadataSnapshot } from '../../src/refresh/metadata-table.ts'
import { encodeStepModels } from '../../src/refresh/state-codec.ts'
import { batchOf, Harness, type PlainRecord, type PortFeatures } from './port-harness.ts'

export interface MetadataFeatures extends PortFeatures {
  readonly clock: Clock
  /** Has the topic compacted now; undefined: the broker does it by itself, soon. */
  compact?(topic: string): void
}

const COMPACT = { 'cleanup.policy': 'compact' }
/** A segment of its own for each second of record time, and compaction of all but the last. */
const EAGER = { ...COMPACT, 'segment.ms': '500', 'min.cleanable.dirty.ratio': '0.01', 'delete.retention.ms': '0' }

/** The record of a state whose model is named after its revision. */
export function record(key: string, revision: number, more: PlainRecord = {}): PlainRecord {
  const stable = { modelId: `v${revision}`, modelName: 'm' }
  const state = { revision, stable, previous: [], publishedBy: 'p', publishedAt: '2026-01-02T03:04:05Z' }
  return { key, value: encodeStepModels(state), ...more }
}
const tombstone = (key: string): PlainRecord => ({ key, value: null })

/** `slot@offset=model` for each slot, in the order of their names. */
const shown = ({ slots }: MetadataSnapshot) =>
  [...slots].map(([key, { state, offset }]) => `${key}@${offset}=${state.stable.modelId}`).toSorted()

/** Follows, and notes what it is told. */
function follower(h: Harness, { clock }: MetadataFeatures, topic: string, from: MetadataSnapshot) {
  const told: string[] = []
  const options: FollowOptions = {
    ...{ port: h.port, topic, from, clock, random: () => 0.5 },
    onChange: ({ key, offset, state }) => void told.push(`${key}@${offset}=${state?.stable.modelId ?? 'own'}`),
    onProblem: ({ key, offset, error }) => void told.push(`${key}@${offset} ${error.code}`),
    onOutage: error => void told.push(`outage ${error.code}`),
    onRecovered: () => void told.push('recovered'),
  }
  const { stop, snapshot } = followMetadata(options)
  return { told, stop, snapshot }
}

export function metadataLogContract(features: MetadataFeatures): void {
  suite(`the metadata topic: ${features.name}`, () => {
    test('an empty topic is read, and says nothing', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('empty', 1, COMPACT)
      assert.deepEqual(await readMetadata(h.port, topic), { slots: new Map(), problems: [], nextOffset: 'earliest' })
    })

    test('the newest state of each slot is read, and a tombstone takes it away', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('newest', 1, COMPACT)
      await h.write(topic, 0, [record('a', 1), record('a/"de"', 1), record('b', 1)])
      await h.write(topic, 0, [record('a', 2), tombstone('b'), record('a/7', 4), tombstone('never')])
      const read = await readMetadata(h.port, topic)
      assert.deepEqual(shown(read), ['a/"de"@1=v1', 'a/7@5=v4', 'a@3=v2'])
      assert.deepEqual([read.slots.get('a/7')!.slot, read.nextOffset], [{ step: 'a', modelKey: 7 }, 7])
    })

    test('a record that cannot be read is told and changes nothing, until another one replaces it', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('wrong', 1, COMPACT)
      await h.write(topic, 0, [record('a', 1), { key: 'a', value: '{"revision":0}' }, { key: 'b', value: 'no' }])
      await h.write(topic, 0, [record('a b', 1), { key: Buffer.of(0xff), value: null }, { key: 'c', value: '[]' }])
      const read = await readMetadata(h.port, topic)
      assert.deepEqual(shown(read), ['a@0=v1'])
      assert.deepEqual(
        read.problems.map(({ key, offset, error }) => [key, offset, error.code]),
        [
          ['a', 1, 'METADATA_INVALID'],
          ['b', 2, 'METADATA_INVALID'],
          ['a b', 3, 'METADATA_INVALID'],
          ['c', 5, 'METADATA_INVALID'],
        ],
      )
      assert.match(read.problems[0]!.error.message, new RegExp(`record ${topic}/0/1: field revision is wrong`))
      await h.write(topic, 0, [record('a', 2), tombstone('b'), tombstone('a b'), record('c', 1)])
      const after = await readMetadata(h.port, topic)
      assert.deepEqual([shown(after), after.problems], [['a@6=v2', 'c@9=v1'], []])
    })

    test('what is aborted or still open at the end is not there, and reading does not wait for it', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('tail', 1, COMPACT)
      const writer = h.transactional(h.name('id'))
      await writer.fence()
      const send = (...records: PlainRecord[]) => writer.send([batchOf(topic, 0, records, features.wallTime())])
      await send(record('a', 1))
      await writer.commit()
      const read = async () => shown(await readMetadata(h.port, topic))
      await features.eventually('a tail of one marker', async () => (await read()).length > 0)
      assert.deepEqual(await read(), ['a@0=v1'])
      await send(record('a', 2), tombstone('a'), record('b', 1))
      assert.deepEqual(await read(), ['a@0=v1'], 'still open')
      await writer.abort()
      const end = async () => (await h.port.admin.offsets(topic))[0]!.end
      await features.eventually('the end of the aborted one', async () => (await end()) === 6)
      assert.deepEqual(await read(), ['a@0=v1'])
    })

    test('a log of nothing but aborted records and markers says nothing', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('control', 1, COMPACT)
      const writer = h.transactional(h.name('id'))
      await writer.fence()
      for (const revision of [1, 2]) {
        await writer.send([batchOf(topic, 0, [record('a', revision)], features.wallTime())])
        await writer.abort()
      }
      await features.eventually('the markers', async () => (await h.port.admin.offsets(topic))[0]!.end === 4)
      assert.deepEqual(shown(await readMetadata(h.port, topic)), [])
      const { told, stop } = follower(h, features, topic, await readMetadata(h.port, topic))
      t.after(stop)
      await h.write(topic, 0, [record('a', 1)])
      await features.eventually('it is told', () => told.length > 0)
      assert.deepEqual(told, ['a@4=v1'])
    })

    test('a compacted log, with gaps, says what it said before', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('compacted', 1, EAGER)
      const writer = h.transactional(h.name('id'))
      await writer.fence()
      // Behind the time of markers, or these would hold up the segments.
      let timestamp = features.wallTime() + 60_000
      const later = () => {
        timestamp += 1_000
        return { timestamp }
      }
      const write = (each: PlainRecord) => h.write(topic, 0, [{ ...each, ...later() }])
      for (const revision of [1, 2, 3]) for (const key of ['a', 'b', 'c']) await write(record(key, revision))
      await write(tombstone('b'))
      await writer.send([batchOf(topic, 0, [{ ...record('c', 4), ...later() }], timestamp)])
      await writer.abort()
      await features.eventually('the marker', async () => (await h.port.admin.offsets(topic))[0]!.end === 12)
      for (const revision of [4, 5]) await write(record('a', revision))
      await write(record('d', 1))
      const before = await readMetadata(h.port, topic)
      assert.deepEqual(shown(before), ['a@13=v5', 'c@8=v3', 'd@14=v1'])
      features.compact?.(topic)
      await features.eventually(
        'compaction',
        async () => !(await h.scan(topic, 0)).some(({ offset }) => offset < 8 || offset === 12),
        60_000,
      )
      const kept = (await h.scan(topic, 0)).map(({ offset }) => offset)
      assert.deepEqual(
        kept.filter(offset => offset !== 9),
        [8, 13, 14],
      )
      const after = await readMetadata(h.port, topic)
      assert.deepEqual([shown(after), after.nextOffset], [shown(before), 15])
      const { told, stop } = follower(h, features, topic, { slots: new Map(), problems: [], nextOffset: 2 })
      t.after(stop)
      await features.eventually('following goes over the gaps', () => told.includes('d@14=v1'))
      assert.deepEqual(
        told.filter(each => !each.startsWith('b')),
        ['c@8=v3', 'a@13=v5', 'd@14=v1'],
      )
    })

    test('what is published later is told in order, once, when it is committed, and not after the end', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('followed', 1, COMPACT)
      await h.write(topic, 0, [record('a', 1)])
      const { told, stop, snapshot } = follower(h, features, topic, await readMetadata(h.port, topic))
      t.after(stop)
      await h.write(topic, 0, [record('a', 2), { key: 'a', value: 'x' }, record('b', 1), tombstone('a')])
      const writer = h.transactional(h.name('id'))
      await writer.fence()
      await writer.send([batchOf(topic, 0, [record('a', 9)], features.wallTime())])
      await writer.abort()
      await writer.send([batchOf(topic, 0, [record('a', 1)], features.wallTime())])
      await writer.commit()
      await features.eventually('all is told', () => told.includes('a@7=v1'))
      assert.deepEqual(told, ['a@1=v2', 'a@2 METADATA_INVALID', 'b@3=v1', 'a@4=own', 'a@7=v1'])
      assert.deepEqual(shown(snapshot()), ['a@7=v1', 'b@3=v1'])
      stop()
      const next = follower(h, features, topic, snapshot())
      t.after(next.stop)
      await h.write(topic, 0, [record('b', 2)])
      await features.eventually('the next one is told', () => next.told.length > 0)
      assert.deepEqual([next.told, told.length], [['b@9=v2'], 5])
    })

    test('a topic that is made anew is read anew: what it lost keeps its model, which is told', async t => {
      const h = await Harness.open(features, t)
      const topic = await h.topic('anew', 1, COMPACT)
      await h.write(topic, 0, [record('a', 1), record('b', 1), record('c', 1), record('d', 1)])
      const { told, stop, snapshot } = follower(h, features, topic, await readMetadata(h.port, topic))
      t.after(stop)
      await h.port.admin.deleteTopics([topic])
      await features.eventually('it is gone', async () => (await h.port.admin.describeTopics([topic])).length === 0)
      await h.port.admin.createTopics([{ name: topic, partitions: 1, replicationFactor: 1, configs: COMPACT }])
      // A writer of its own: the one of before goes on with the sequences of the topic that is gone.
      const writer = h.port.writer()
      t.after(() => writer.close())
      const write = (...records: PlainRecord[]) => writer.send([batchOf(topic, 0, records, features.wallTime())])
      await write(record('a', 1), record('c', 2), tombstone('d'))
      // It may have been read anew before it was written to.
      const expected = ['c@1=v2', 'd@2=own', 'b@1 METADATA_INVALID', 'recovered']
      await features.eventually('it is read anew', () => expected.every(each => told.includes(each)), 60_000)
      assert.ok(told[0]!.startsWith('outage '), told[0])
      assert.deepEqual(shown(snapshot()), ['a@0=v1', 'b@1=v1', 'c@1=v2'])
      await write(record('b', 1))
      await features.eventually('and followed', () => told.at(-1) === 'b@3=v1')
    })
  })
}
