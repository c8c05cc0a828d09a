import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import { GROUP_PROTOCOLS } from '../../src/kafkajs/group-protocol.ts'
import { withCode } from '../contract/port-harness.ts'
import { HEARTBEAT_MS, REBALANCE_MS, SESSION_MS, scriptedSession as setup } from '../support/scripted-coordinator.ts'

const CODES = {
  GROUP_AUTHORIZATION_FAILED: 30,
  INCONSISTENT_GROUP_PROTOCOL: 23,
  MEMBER_ID_REQUIRED: 79,
  NOT_COORDINATOR: 16,
  REBALANCE_IN_PROGRESS: 27,
  UNKNOWN_MEMBER_ID: 25,
}
describe('a group session', () => {
  it('joins with the id that the coordinator gives, and divides the partitions as leader', async () => {
    const { session, answer, join, requests } = setup()
    answer('JoinGroup', CODES.MEMBER_ID_REQUIRED)
    const generation = await join()
    assert.equal(session.memberId, 'm-given')
    assert.deepEqual([...generation!.partitions], [['t', [0, 1]]])
    assert.deepEqual([...generation!.freshTopics], ['t'])
    assert.deepEqual([...generation!.counted!], [['t', 2]])
    assert.deepEqual(requests, ['JoinGroup', 'JoinGroup', 'OffsetFetch', 'SyncGroup'])
  })

  it('says of a topic with any committed offset that it is not fresh', async () => {
    const { join, last } = setup({ committed: 0 })
    assert.equal((await join())!.freshTopics.size, 0)
    const [share] = last.sync!.groupAssignment
    assert.equal(GROUP_PROTOCOLS[0]!.decodeShare(share!.memberAssignment).freshTopics.size, 0)
  })

  it('S1 keeps the session alive by heartbeats, also after notice of a rebalance', async () => {
    const { session, clock, answer, join, events } = setup()
    await join()
    answer('Heartbeat', 0, CODES.REBALANCE_IN_PROGRESS, CODES.REBALANCE_IN_PROGRESS)
    await clock.advance(2 * SESSION_MS)
    assert.deepEqual(events, ['rebalance', 'rebalance'])
    assert.ok(session.ageMs() <= HEARTBEAT_MS)
    assert.equal(session.generation, 1)
  })

  it('S2 ends heartbeats with the join, and begins them in the next generation', async () => {
    const { session, clock, join, requests } = setup()
    await join()
    await clock.advance(HEARTBEAT_MS)
    const joining = join()
    assert.equal(session.generation, -1)
    await joining
    assert.equal(session.generation, 2)
    requests.length = 0
    await clock.advance(HEARTBEAT_MS)
    assert.deepEqual(requests, ['Heartbeat'])
  })

  it('S3 is over when nothing was answered for as long as the session lasts', async () => {
    const { session, clock, answer, join, events } = setup()
    await join()
    answer('Heartbeat', ...Array.from({ length: 99 }, () => new RunInferenceError('BROKER_UNAVAILABLE', 'gone')))
    await clock.advance(SESSION_MS - 1)
    assert.ok(!events.some(event => event.startsWith('expelled')))
    await clock.advance(1)
    assert.equal(events.at(-1), 'expelled no')
    assert.equal(session.generation, -1)
  })

  it('S3 is over at once when the coordinator does not know the member, which then joins as a new one', async () => {
    const { session, clock, answer, join, events } = setup()
    await join()
    answer('Heartbeat', CODES.UNKNOWN_MEMBER_ID)
    await clock.advance(HEARTBEAT_MS)
    assert.deepEqual(events, ['expelled UNKNOWN_MEMBER_ID'])
    assert.equal(session.memberId, '')
  })

  it('S4 counts from when a heartbeat was sent: an answer that lay unread says nothing of now', async () => {
    const { session, clock, answer, join, events } = setup()
    await join()
    answer('Heartbeat', { ms: SESSION_MS - 2 * HEARTBEAT_MS })
    await clock.advance(SESSION_MS - HEARTBEAT_MS)
    assert.equal(session.ageMs(), SESSION_MS - 2 * HEARTBEAT_MS)
    assert.deepEqual(events, [])
    // As a process that was stopped behind a heartbeat: the answer is there when it goes on, and the session is over.
    answer('Heartbeat', { ms: 3 * SESSION_MS })
    await clock.advance(SESSION_MS + 2 * HEARTBEAT_MS)
    assert.deepEqual(events, ['expelled no'])
    await clock.advance(3 * SESSION_MS)
    assert.ok(session.ageMs() > SESSION_MS)
  })

  it('S4 does not enter a generation whose answer comes when the session may be over', async () => {
    const { session, clock, answer, join, events } = setup()
    answer('SyncGroup', { ms: SESSION_MS })
    const late = join()
    await clock.advance(SESSION_MS)
    assert.equal(await late, undefined)
    assert.equal(session.generation, -1)
    // A JoinGroup may take as long as the others need: what counts is the SyncGroup behind it.
    answer('JoinGroup', { ms: 2 * SESSION_MS })
    const slow = join()
    await clock.advance(2 * SESSION_MS)
    assert.equal((await slow)!.number, 2)
    assert.equal(session.ageMs(), 0)
    assert.deepEqual(events, ['expelled no'])
  })

  it('S4 sends the next heartbeat in time when the leader took most of the session', async () => {
    const { session, clock, answer, join, events } = setup()
    answer('SyncGroup', { ms: SESSION_MS - 100 })
    const joining = join()
    await clock.advance(SESSION_MS - 100)
    assert.equal((await joining)!.number, 1)
    await clock.advance(5 * SESSION_MS)
    assert.deepEqual(events, [])
    assert.ok(session.ageMs() <= HEARTBEAT_MS)
  })

  it('S5 is over when a rebalance has lasted for as long as one may, though every heartbeat was answered', async () => {
    const { session, clock, answer, join, events } = setup()
    await join()
    answer('Heartbeat', 0, ...Array.from({ length: 99 }, () => CODES.REBALANCE_IN_PROGRESS))
    await clock.advance(HEARTBEAT_MS + REBALANCE_MS - 1)
    assert.ok(session.ageMs() <= HEARTBEAT_MS)
    assert.ok(!events.some(event => event.startsWith('expelled')))
    await clock.advance(1)
    assert.equal(events.at(-1), 'expelled no')
    assert.equal(session.generation, -1)
  })

  it('waits for a coordinator that moves, without ending', async () => {
    const { clock, answer, join, events } = setup()
    await join()
    answer('Heartbeat', CODES.NOT_COORDINATOR)
    await clock.advance(3 * HEARTBEAT_MS)
    assert.deepEqual(events, ['BROKER_UNAVAILABLE'])
  })

  it('is told to try again when the group goes on without it between join and sync', async () => {
    const { answer, join } = setup()
    answer('SyncGroup', CODES.REBALANCE_IN_PROGRESS)
    assert.equal(await join(), undefined)
    assert.equal((await join())!.number, 2)
  })

  it('refuses what trying again does not mend, and says that another application may have the group id', async () => {
    const { answer, join } = setup()
    answer('JoinGroup', CODES.GROUP_AUTHORIZATION_FAILED)
    await assert.rejects(join(), withCode('AUTHORISATION'))
    answer('JoinGroup', CODES.INCONSISTENT_GROUP_PROTOCOL)
    await assert.rejects(join(), /BROKER_REFUSED.*another application/is)
  })

  it('sends nothing more once it has left', async () => {
    const { session, clock, join, requests, events } = setup()
    await join()
    await session.leave()
    requests.length = 0
    await clock.advance(3 * SESSION_MS)
    assert.deepEqual([requests, events], [[], []])
  })

  it('tells nobody that the group goes on without it once it has left', async () => {
    const { session, clock, answer, join, events } = setup()
    await join()
    answer('JoinGroup', { ms: 100, code: CODES.UNKNOWN_MEMBER_ID })
    const joining = join()
    await clock.settle()
    await session.leave()
    await clock.advance(100)
    assert.equal(await joining, undefined)
    assert.deepEqual(events, [])
  })
})
