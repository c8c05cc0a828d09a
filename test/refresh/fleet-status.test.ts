import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { emptyRecord, RecordBatchBuilder } from '../../src/kafka/record-batch-builder.ts'
import { FRESH_MS, fleetOf, isCurrent, type Published, readStatus } from '../../src/refresh/fleet-status.ts'
import {
  encodeStatus,
  type InstanceStatus,
  type ModelStatus,
  type SlotStatus,
} from '../../src/refresh/status-record.ts'
import type { StepModels } from '../../src/refresh/step-models.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { createMemoryBroker } from '../../src/testing/memory-broker.ts'

const NOW = Date.UTC(2026, 0, 1)
const at = (ms: number) => new Date(NOW + ms).toISOString()
const slot = (given: Partial<SlotStatus> = {}): SlotStatus => ({
  slot: 's',
  revision: 2,
  metadataOffset: 5,
  state: 'current',
  since: at(0),
  positions: {},
  ...given,
})
const instance = (name: string, memberIds: readonly string[], given: Partial<InstanceStatus> = {}): InstanceStatus => ({
  instance: name,
  memberIds,
  slots: [slot()],
  ignored: {},
  writtenAt: at(0),
  ...given,
})
const state: StepModels = {
  revision: 2,
  stable: { modelId: 'm', modelName: 'm' },
  previous: [],
  publishedBy: 'me',
  publishedAt: at(0),
}
const published = (offset: number, of: StepModels | undefined = state): ReadonlyMap<string, Published> =>
  new Map([['s', { offset, state: of }]])

describe('the fleet', () => {
  it('counts the members of now, not records of instances that are gone', () => {
    const dead = instance('b', ['m-2'], { slots: [slot({ state: 'failed' })] })
    const fleet = fleetOf([instance('a', ['m-1']), dead], ['m-1'], published(5), NOW)
    assert.deepEqual([fleet.members, fleet.gone, fleet.silent], [1, ['b'], []])
    assert.ok(isCurrent(fleet.slots[0]!))
  })

  it('an instance that cannot use a model on trial does not run all that is published', () => {
    const of = (candidate: ModelStatus['state']) =>
      fleetOf(
        [instance('a', ['m-1'], { slots: [slot({ candidate: slot({ state: candidate }) })] })],
        ['m-1'],
        published(5),
        NOW,
      )
    assert.deepEqual(
      (['current', 'loading', 'failed'] as const).map(each => isCurrent(of(each).slots[0]!)),
      [true, false, false],
    )
  })

  it('an instance that has not read the newest record is behind, whatever it says of the one before', () => {
    const fleet = fleetOf([instance('a', ['m-1'])], ['m-1'], published(6), NOW)
    assert.equal(fleet.slots[0]!.instances[0]!.progress, 'behind')
    assert.ok(!isCurrent(fleet.slots[0]!))
  })

  it('revisions begin anew behind a tombstone: offsets tell who has read it', () => {
    const later = instance('a', ['m-1'], { slots: [slot({ revision: 9, metadataOffset: 5 })] })
    assert.equal(fleetOf([later], ['m-1'], published(8), NOW).slots[0]!.instances[0]!.progress, 'behind')
  })

  it('who serves a revision when a tombstone has taken all away is behind, also when compaction has removed that', () => {
    for (const gone of [new Map(), new Map([['s', { offset: 6, state: undefined }]])]) {
      const fleet = fleetOf([instance('a', ['m-1'])], ['m-1'], gone, NOW)
      assert.equal(fleet.slots[0]!.instances[0]!.progress, 'behind')
      const own = instance('a', ['m-1'], { slots: [slot({ revision: 0, metadataOffset: 6 })] })
      assert.ok(isCurrent(fleetOf([own], ['m-1'], gone, NOW).slots[0]!))
    }
  })

  it('members that have written nothing are silent, and those that wait for a model are no members yet', () => {
    const waits = instance('b', [], { slots: [slot({ state: 'loading' })] })
    const fleet = fleetOf([instance('a', ['m-1']), waits], ['m-1', 'm-3'], published(5), NOW)
    assert.deepEqual([fleet.silent, fleet.waiting.map(each => each.instance), fleet.gone], [['m-3'], ['b'], []])
    const later = fleetOf([waits], [], published(5), NOW + FRESH_MS + 1)
    assert.deepEqual([later.waiting, later.gone], [[], ['b']])
  })

  it('without an instance that runs it nothing is current', () => {
    const fleet = fleetOf([], [], published(5), NOW)
    assert.deepEqual(fleet.slots, [{ slot: 's', published: { offset: 5, state }, instances: [] }])
    assert.ok(!isCurrent(fleet.slots[0]!))
  })

  it('what instances ignore is told with their reason', () => {
    const fleet = fleetOf([instance('a', ['m-1'], { ignored: { x: 'no such step' } })], ['m-1'], new Map(), NOW)
    assert.deepEqual([...fleet.ignored], [['x', 'no such step']])
  })
})

describe('the status topic', () => {
  it('is read to its end: newest records, goodbyes, and what cannot be read', async () => {
    const clock = createManualClock()
    const port = createMemoryBroker({ clock, random: () => 0.5 }).connect()
    await port.admin.createTopics([{ name: 'status', partitions: 1, replicationFactor: 1, configs: {} }])
    const writer = port.writer()
    const write = async (key: string, value: Buffer | null) => {
      const builder = new RecordBatchBuilder('status', 0, 10_000)
      const keyBytes = Buffer.from(key)
      builder.append({ ...emptyRecord(), key: keyBytes, keyEnd: keyBytes.length, value, valueEnd: value?.length ?? 0 })
      await writer.send([builder.seal()])
    }
    await write('b', encodeStatus(instance('b', [])))
    await write('a', encodeStatus(instance('a', [])))
    await write('a', encodeStatus(instance('a', ['m-1'])))
    await write('gone', encodeStatus(instance('gone', ['m-9'])))
    await write('gone', null)
    await write('bad', Buffer.from('{'))
    const { instances, problems } = await readStatus(port, 'status')
    assert.deepEqual(instances, [instance('a', ['m-1']), instance('b', [])])
    assert.deepEqual([...problems.keys()], ['bad'])
    assert.match(problems.get('bad')!, /record status\/0\/5: the value cannot be used, expected JSON/)
    await port.close()
  })
})
