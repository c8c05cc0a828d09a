/** Several group members as one: what is about a partition goes to the member whose group reads its topic. */
import { RunInferenceError } from './errors.ts'
import type { CommitRequest, GroupMember } from './kafka/port.ts'

/** A member, and the topics that its group reads. */
export interface MemberOfTopics {
  readonly member: GroupMember
  readonly topics: ReadonlySet<string>
}

export function groupMembers(all: readonly MemberOfTopics[]): GroupMember {
  const members = all.map(({ member }) => member)
  const of = (topic: string): GroupMember => {
    const found = all.find(({ topics }) => topics.has(topic))
    if (found) return found.member
    throw new RunInferenceError('BUG', `no group of this instance reads topic ${topic}`)
  }
  return {
    async start() {
      await Promise.all(members.map(member => member.start()))
    },
    pause: partition => of(partition.topic).pause(partition),
    resume: partition => of(partition.topic).resume(partition),
    async commit(offsets) {
      const byMember = Map.groupBy(offsets, ({ topic }) => of(topic))
      const results = new Map<CommitRequest, boolean>()
      const commits = [...byMember].map(async ([member, requests]) => {
        const committed = await member.commit(requests)
        requests.forEach((request, i) => void results.set(request, committed[i]!))
      })
      await Promise.all(commits)
      return offsets.map(request => results.get(request)!)
    },
    restart: partition => of(partition.topic).restart(partition),
    // Of one group only: another that joins, which can take long, is none of its concern.
    alive: topic => (topic === undefined ? members.every(member => member.alive()) : of(topic).alive()),
    memberIds: () => members.flatMap(member => member.memberIds()),
    heartbeatAgeMs: () => Math.max(...members.map(member => member.heartbeatAgeMs())),
    async stop() {
      await Promise.all(members.map(member => member.stop()))
    },
  }
}
