/** Who takes part, and which partition is whose, with what waits in it. */
import type { InstanceView, PartitionView } from '../console-api.ts'
import { el, unknown } from './elements.ts'
import { count, rate, time } from './format.ts'
import { morph } from './morph.ts'
import type { OpenPage } from './page.ts'
import { table } from './table.ts'

export const openInstances: OpenPage = ({ about }) => {
  const instances = el('div')
  const partitions = el('div')
  return {
    title: 'Instances',
    content: [
      el('section', {}, el('h2', {}, about.scope === 'instance' ? 'This instance' : 'Who takes part'), instances),
      el('section', {}, el('h2', {}, 'Partitions'), partitions),
    ],
    update(snapshot) {
      const [left, gone] = [snapshot.partitionsLeftOut, snapshot.instancesLeftOut]
      morph(
        instances,
        gone !== undefined &&
          el('p', { class: 'note' }, `Those that fail most or were heard last; ${count(gone)} more are not shown.`),
        instanceTable(snapshot.instances),
      )
      morph(
        partitions,
        left !== undefined &&
          el('p', { class: 'note' }, `Those that are behind most; ${count(left)} more are not shown.`),
        partitionTable(snapshot.partitions),
      )
    },
  }
}

function instanceTable(instances: readonly InstanceView[]): HTMLElement {
  return table(
    'Instances',
    [
      { label: 'Instance' },
      { label: 'Host' },
      { label: 'Group' },
      { label: 'Partitions', numeric: true },
      { label: 'In/s', numeric: true },
      { label: 'Out/s', numeric: true },
      { label: 'Failed/s', numeric: true },
      { label: 'Last word' },
    ],
    instances.map(({ instance, host, partitions, seen, isMember, ...rates }) => ({
      id: instance,
      cells: [
        el('code', {}, instance),
        host ?? unknown(),
        isMember ? el('span', { class: 'pill good' }, 'member') : el('span', { class: 'pill warn' }, 'no member'),
        count(partitions),
        ...[rates.inPerSecond, rates.outPerSecond, rates.failedPerSecond].map(each =>
          each === undefined ? unknown() : rate(each),
        ),
        time(seen),
      ],
    })),
    'No instance takes part.',
  )
}

function partitionTable(partitions: readonly PartitionView[]): HTMLElement {
  return table(
    'Partitions',
    [
      { label: 'Partition' },
      { label: 'Owner' },
      { label: 'Committed', numeric: true },
      { label: 'End', numeric: true },
      { label: 'Lag', numeric: true },
    ],
    partitions.map(({ topic, partition, owner, committed, end, lag }) => ({
      id: `${topic}/${partition}`,
      cells: [
        el('code', {}, `${topic}/${partition}`),
        owner === undefined ? unknown() : el('code', {}, owner),
        count(committed),
        count(end),
        count(lag),
      ],
    })),
    'No partitions are known yet.',
  )
}
