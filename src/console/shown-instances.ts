import type { RefreshState } from '../refresh/status-record.ts'
import { bounded } from './bounded.ts'
import type { ConsoleSnapshot, InstanceView, SlotView } from './console-api.ts'

/** As of partitions: what every snapshot can carry. */
const MAX_INSTANCES = 200
/** Of all slots together, since each has as many as there are instances. */
const MAX_FLEETS = 2_000

/** Members first, of these those that fail most, then those that were heard last. In their own order, and how many are left out. */
export function shownInstances(
  instances: readonly InstanceView[],
): Pick<ConsoleSnapshot, 'instances' | 'instancesLeftOut'> {
  const { shown, leftOut } = bounded(instances, MAX_INSTANCES, byNeed)
  return { instances: shown, ...(leftOut.length > 0 && { instancesLeftOut: leftOut.length }) }
}

function byNeed(a: InstanceView, b: InstanceView): number {
  if (a.isMember !== b.isMember) return a.isMember ? -1 : 1
  const failures = (b.failedPerSecond ?? 0) - (a.failedPerSecond ?? 0)
  if (failures !== 0) return failures
  const [heardA, heardB] = [a.seen ?? '', b.seen ?? '']
  return heardA === heardB ? 0 : heardA > heardB ? -1 : 1
}

const STATES: readonly RefreshState[] = ['failed', 'loading', 'ready', 'current']

/** Of each slot the instances that are furthest from what is published, and how many of which state are left out. */
export function shownFleets(slots: readonly SlotView[]): readonly SlotView[] {
  const max = Math.max(1, Math.min(MAX_INSTANCES, Math.floor(MAX_FLEETS / slots.length)))
  return slots.map(slot => {
    const { shown, leftOut } = bounded(
      slot.fleet,
      max,
      (a, b) => STATES.indexOf(a.state) - STATES.indexOf(b.state) || a.revision - b.revision,
    )
    if (leftOut.length === 0) return slot
    const states = [...Map.groupBy(leftOut, ({ state }) => state)]
    const counts = Object.fromEntries(states.map(([state, each]) => [state, each.length]))
    return { ...slot, fleet: shown, fleetLeftOut: counts }
  })
}
