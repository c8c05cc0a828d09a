import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import { decodeShare, encodeClaim } from '../../src/kafkajs/group-protocol.ts'
import { GroupSession } from '../../src/kafkajs/group-session.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { withCode } from '../contract/port-harness.ts'

const CODES = {
  GROUP_AUTHORIZATION_FAILED: 30,
  INCONSISTENT_GROUP_PROTOCOL: 23,
  MEMBER_ID_REQUIRED: 79,
  NOT_COORDINATOR: 16,
  REBALANCE_IN_PROGRESS: 27,
  UNKNOWN_MEMBER_ID: 25,
}
const SESSION_MS = 10_000
const HEARTBEAT_MS = 500

/** What the requests of a session carry; each has some of it. */
interface RequestArgs {
  readonly memberId: string
  readonly groupProtocols: readonly { readonly metadata: Buffer }[]
  readonly groupAssignment: readonly { readonly memberAssignment: Buffer }[]
  readonly topics: readonly { readonly topic: string; readonly partitions: readonly { readonly partition: number }[] }[]
}

/** A session whose coordinator answers from a script by request name, and else as for a group of one. */
function setup(committed = -1) {
  const clock = createManualClock()
  const events: string[] = []
  const requests: string[] = []
  const script = new Map<string, (number | RunInferenceError)[]>()
  let generation = 0
  let share: Buffer = Buffer.alloc(0)
  const answers: Record<string, (args: RequestArgs) => object> = {
    JoinGroup: ({ memberId, groupProtocols }) => {
      generation++
      const id = memberId || 'm-1'
      const { metadata } = groupProtocols[0]!
      return {
        generationId: generation,
        leaderId: id,
        memberId: id,
        members: [{ memberId: id, memberMetadata: metadata }],
      }
    },
    SyncGroup: ({ groupAssignment }) => {
      share = groupAssignment[0]!.memberAssignment
      return { memberAssignment: share }
    },
    OffsetFetch: ({ topics }) => ({
      responses: topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map(({ partition }) => ({ partition, errorCode: 0, offset: String(committed) })),
      })),
    }),
    Heartbeat: () => ({}),
    LeaveGroup: () => ({}),
  }
  const call = async <T>(api: string, args: object): Promise<T> => {
    requests.push(api)
    const scripted = script.get(api)?.shift() ?? 0
    if (scripted instanceof RunInferenceError) throw scripted
    const answer = answers[api]!(args as RequestArgs)
    const memberId = scripted === CODES.MEMBER_ID_REQUIRED ? { memberId: 'm-given' } : {}
    return { ...answer, ...memberId, errorCode: scripted } as T
  }
  const cluster = {
    coordinator: async () => ({ call }),
    forgetCoordinator: () => {},
    track: () => false,
    refresh: async () => {},
    topic: (name: string) => ({ name, errorCode: 0, leaders: [1, 1], replicationFactor: 1 }),
  }
  const session = new GroupSession(
    { cluster, clock, logger: silentLogger, purpose: 'p' },
    {
      groupId: 'g',
      topics: ['t'],
      sessionTimeoutMs: SESSION_MS,
      heartbeatIntervalMs: HEARTBEAT_MS,
      rebalanceTimeoutMs: 20_000,
    },
    {
      onRebalance: () => void events.push('rebalance'),
      onExpelled: reason => void events.push(`expelled ${reason.split(' ')[0]}`),
      onHeartbeat: failure => void (failure && events.push(failure.code)),
    },
  )
  const nothing = { generation: -1, owned: new Map() }
  const answer = (api: string, ...codes: (number | RunInferenceError)[]) => script.set(api, codes)
  return { clock, events, requests, session, answer, join: () => session.join(nothing), lastShare: () => share }
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
    const { join, lastShare } = setup(0)
    assert.equal((await join())!.freshTopics.size, 0)
    assert.equal(decodeShare(lastShare()).freshTopics.size, 0)
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
})

describe('what members tell each other', () => {
  it('survives claims that cannot be read: such a member owns nothing', async () => {
    const { decodeClaim } = await import('../../src/kafkajs/group-protocol.ts')
    const bytes = encodeClaim({ topics: ['t'], generation: 3, owned: new Map([['t', [1]]]) })
    assert.deepEqual(decodeClaim('m', bytes).owned, new Map([['t', [1]]]))
    bytes[bytes.length - 1] = 0
    assert.deepEqual(decodeClaim('m', bytes), { id: 'm', topics: ['t'], generation: -1, owned: new Map() })
  })
})
