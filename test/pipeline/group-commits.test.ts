import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { groupMembers } from '../../src/group-members.ts'
import type { CommitRequest, GroupMember } from '../../src/kafka/port.ts'
import { Commits } from '../../src/pipeline/commits.ts'
import { groupCommits } from '../../src/pipeline/group-commits.ts'
import type { PartitionFlow } from '../../src/pipeline/partition-flow.ts'
import { createManualClock } from '../../src/testing/index.ts'
import { flowOf } from '../support/work-blocks.ts'

/** Two groups; the one of `between` is on its way into a generation until the test says so. */
function setUp() {
  const clock = createManualClock()
  const requests: string[] = []
  const { promise: joined, resolve: join } = Promise.withResolvers<void>()
  const memberOf = (topic: string, isReady: Promise<void>) => ({
    topics: new Set([topic]),
    member: {
      async commit(offsets: readonly CommitRequest[]) {
        requests.push(...offsets.map(({ topic, offset }) => `${topic}:${offset}`))
        await isReady
        return offsets.map(() => true)
      },
    } as unknown as GroupMember,
  })
  const member = groupMembers([memberOf('in', Promise.resolve()), memberOf('between', joined)])
  const commits = groupCommits(
    topic => `group of ${topic}`,
    () =>
      new Commits(
        member,
        clock,
        100,
        () => {},
        error => assert.fail(String(error)),
      ),
  )
  const move = (flow: PartitionFlow, offset: number) => {
    flow.committable = offset
    commits.mark(flow)
  }
  return { clock, requests, join, commits, move, flows: { read: flowOf('in'), between: flowOf('between') } }
}

describe('commits of several groups', () => {
  it('of one group do not wait for another that joins', async () => {
    const { clock, requests, join, move, flows } = setUp()
    move(flows.between, 1)
    move(flows.read, 1)
    await clock.advance(100)
    move(flows.read, 2)
    await clock.advance(100)
    assert.deepEqual(requests.toSorted(), ['between:1', 'in:1', 'in:2'])
    assert.deepEqual([flows.read.committed, flows.between.committed], [2, 0])
    join()
    await clock.settle()
    assert.equal(flows.between.committed, 1)
  })

  it('are flushed for the topics of one group, or for all', async () => {
    const { clock, join, commits, move, flows } = setUp()
    move(flows.between, 1)
    move(flows.read, 1)
    await commits.flush(new Set(['in', 't.in.replay']))
    assert.equal(flows.read.committed, 1)
    let isDone = false
    const all = commits.flush().then(() => {
      isDone = true
    })
    await clock.advance(1_000)
    assert.equal(isDone, false, 'all of them: also the one that joins')
    join()
    await all
    assert.equal(flows.between.committed, 1)
  })
})
