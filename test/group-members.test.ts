import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { groupMembers } from '../src/group-members.ts'
import type { GroupMember } from '../src/kafka/port.ts'

function fake(isAlive: boolean): GroupMember {
  return {
    start: async () => {},
    pause: () => {},
    resume: () => {},
    commit: async () => [],
    restart: () => {},
    alive: () => isAlive,
    memberIds: () => (isAlive ? ['a'] : ['b', 'c']),
    heartbeatAgeMs: () => (isAlive ? 10 : 10_000),
    stop: async () => {},
  }
}

describe('the members of several groups', () => {
  it('what was taken of a topic may be sent when the member of its own group stands, whatever the others do', () => {
    const all = groupMembers([
      { member: fake(true), topics: new Set(['a']) },
      { member: fake(false), topics: new Set(['b']) },
    ])
    assert.deepEqual([all.alive('a'), all.alive('b'), all.alive()], [true, false, false])
    assert.equal(all.heartbeatAgeMs(), 10_000)
    assert.deepEqual(all.memberIds(), ['a', 'b', 'c'])
    assert.throws(() => all.alive('c'), /BUG.*topic c/)
  })
})
