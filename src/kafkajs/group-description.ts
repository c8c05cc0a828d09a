import type { GroupDescription } from '../kafka/port.ts'
import type { Caller } from './channel.ts'
import type { CoordinatorType } from './cluster.ts'
import { sharedPartitions, subscribedTopics } from './group-protocol.ts'
import { assertAnswer } from './protocol-errors.ts'

interface DescribeGroupsAnswer {
  readonly groups: readonly {
    readonly errorCode: number
    readonly state: string
    readonly members: readonly {
      readonly memberId: string
      readonly clientId: string
      readonly clientHost: string
      readonly memberMetadata: Buffer | null
      readonly memberAssignment: Buffer | null
    }[]
  }[]
}

const STATES = ['Dead', 'Empty', 'PreparingRebalance', 'CompletingRebalance', 'Stable'] as const

/** A group as its coordinator has it; `Unknown`: a state that a later broker may have. */
export async function describeGroup(
  cluster: { coordinator(type: CoordinatorType, key: string, purpose: string): Promise<Caller> },
  purpose: string,
  groupId: string,
): Promise<GroupDescription> {
  const coordinator = await cluster.coordinator('group', groupId, purpose)
  const { groups } = await coordinator.call<DescribeGroupsAnswer>('DescribeGroups', { groupIds: [groupId] })
  const { errorCode, state, members } = groups[0]!
  assertAnswer(errorCode, `Describing group '${groupId}'`, `Describe on group '${groupId}'`)
  return {
    state: STATES.find(each => each === state) ?? 'Unknown',
    members: members.map(({ memberId, clientId, clientHost, memberMetadata, memberAssignment }) => ({
      ...{ memberId, clientId, host: clientHost },
      topics: memberMetadata === null ? [] : subscribedTopics(memberMetadata),
      partitions: memberAssignment === null ? [] : sharedPartitions(memberAssignment),
    })),
  }
}
