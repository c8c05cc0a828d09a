import type { GroupMember, WritePermit } from '../kafka/port.ts'
import { type Clock, sleep } from '../ops/clock.ts'
import type { PartitionFlow } from './partition-flow.ts'

/** How often a member that may be expelled is asked whether it is alive again. */
const ALIVE_CHECK_MS = 100

/** Whether something of a partition may be sent (I8). */
export interface SendPermits {
  /** Not while the member joins, or its session may be over; never, when the partition was lost or the outbox closed. */
  of(flow: PartitionFlow): ReturnType<WritePermit>
  /** Waits while it may not be; false: never. */
  wait(flow: PartitionFlow): Promise<boolean>
}

export function sendPermits(member: Pick<GroupMember, 'alive'>, clock: Clock, isClosed: () => boolean): SendPermits {
  const of = (flow: PartitionFlow) => {
    if (flow.lost || isClosed()) return 'drop'
    return member.alive(flow.topic) ? 'write' : 'hold'
  }
  return {
    of,
    async wait(flow) {
      while (of(flow) === 'hold') await sleep(clock, ALIVE_CHECK_MS)
      return of(flow) !== 'drop'
    },
  }
}
