import type { GroupMember } from '../kafka/port.ts'
import { type Clock, sleep } from '../ops/clock.ts'
import type { PartitionFlow } from './partition-flow.ts'

/** How often a member that may be expelled is asked whether it is alive again. */
const ALIVE_CHECK_MS = 100

/** Waits while the member's session may be over (I8); false when the partition was lost, or the outbox closed. */
export async function maySend(
  flow: PartitionFlow,
  member: Pick<GroupMember, 'alive'>,
  clock: Clock,
  isClosed: () => boolean,
): Promise<boolean> {
  while (!flow.lost && !isClosed() && !member.alive()) await sleep(clock, ALIVE_CHECK_MS)
  return !flow.lost && !isClosed()
}
