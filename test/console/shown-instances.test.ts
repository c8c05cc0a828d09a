// What a snapshot carries of a large fleet is bounded, and what is left out is counted.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { InstanceView, SlotView } from '../../src/console/console-api.ts'
import { shownFleets, shownInstances } from '../../src/console/shown-instances.ts'

const instance = (i: number, change: Partial<InstanceView> = {}): InstanceView => ({
  ...{ instance: `i-${i}`, partitions: 1, isMember: true, seen: new Date(i * 1_000).toISOString(), ...change },
})

describe('instances of a snapshot', () => {
  it('are all of 200', () => {
    const all = Array.from({ length: 200 }, (_, i) => instance(i))
    assert.deepEqual(shownInstances(all), { instances: all })
  })

  it('are of more the members, those that fail most, and those that were heard last, in their own order', () => {
    const gone = Array.from({ length: 300 }, (_, i) => instance(i, { isMember: false }))
    const members = Array.from({ length: 150 }, (_, i) => instance(1_000 + i))
    const { instances, instancesLeftOut } = shownInstances([...gone, ...members])
    assert.deepEqual([instances, instancesLeftOut], [[...gone.slice(250), ...members], 250])
    const many = Array.from({ length: 500 }, (_, i) => instance(i, { failedPerSecond: i < 5 ? 9 - i : 0 }))
    const shown = shownInstances(many)
    assert.deepEqual([shown.instances, shown.instancesLeftOut], [[...many.slice(0, 5), ...many.slice(305)], 300])
  })
})

describe('the fleet of a slot', () => {
  const slot = (fleet: SlotView['fleet']): SlotView => ({ slot: 's', revision: 3, previous: [], fleet })
  const of = (count: number, state: SlotView['fleet'][number]['state'], revision = 3) =>
    Array.from({ length: count }, (_, i) => ({ instance: `${state}-${revision}-${i}`, state, revision }))

  it('shows those that are furthest from what is published, and counts the others by their state', () => {
    const fleet = [...of(180, 'current'), ...of(30, 'loading'), ...of(7, 'failed'), ...of(5, 'current', 2)]
    const [shown] = shownFleets([slot(fleet)])
    assert.equal(shown!.fleet.length, 200)
    assert.deepEqual(shown!.fleetLeftOut, { current: 22 })
    assert.deepEqual(shown!.fleet, [...fleet.slice(0, 158), ...fleet.slice(180)])
  })

  it('is smaller where there are many slots: together they have 2,000', () => {
    const slots = Array.from({ length: 100 }, () => slot([...of(90, 'current'), ...of(10, 'failed')]))
    const shown = shownFleets(slots)
    assert.ok(
      shown.every(({ fleet }) => fleet.length === 20 && fleet.filter(each => each.state === 'failed').length === 10),
    )
    assert.deepEqual(shown[0]!.fleetLeftOut, { current: 80 })
    const few = [slot(of(3, 'current'))]
    assert.deepEqual(shownFleets(few), few)
    assert.deepEqual(shownFleets([]), [])
  })
})
