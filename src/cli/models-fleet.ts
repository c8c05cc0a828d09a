/** The fleet as it is now: the status topic, the metadata topic, and the members of the groups. */
import { consumerGroups } from '../consumer-groups.ts'
import { systemClock } from '../ops/clock.ts'
import { type Fleet, fleetOf, readStatus, type StatusSnapshot } from '../refresh/fleet-status.ts'
import { readMetadata } from '../refresh/metadata-log.ts'
import type { ModelsSession } from './models-session.ts'

export interface FleetNow extends Fleet {
  /** Records of the status topic that cannot be read. */
  readonly unreadable: StatusSnapshot['problems']
}

export async function fleetNow(session: ModelsSession): Promise<FleetNow> {
  const { port, metadataTopic, statusTopic, topology, signal } = session
  const groups = consumerGroups(topology).map(({ id }) => port.admin.describeGroup(id))
  const [snapshot, { instances, problems }, ...described] = await Promise.all([
    readMetadata(port, metadataTopic, signal),
    readStatus(port, statusTopic, signal),
    ...groups,
  ])
  const memberIds = described.flatMap(({ members }) => members.map(({ memberId }) => memberId))
  return { ...fleetOf(instances, memberIds, snapshot.slots, systemClock.wallTime()), unreadable: problems }
}
