import { RunInferenceError } from '../../src/errors.ts'
import { GroupSession, type GroupSessionOptions } from '../../src/kafkajs/group-session.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'

export const SESSION_MS = 10_000
export const HEARTBEAT_MS = 500
export const REBALANCE_MS = 20_000

/** What the requests of a session carry; each has some of it. */
interface RequestArgs {
  readonly memberId: string
  readonly groupProtocols: readonly { readonly name: string; readonly metadata: Buffer }[]
  readonly groupAssignment: readonly { readonly memberId: string; readonly memberAssignment: Buffer }[]
  readonly topics: readonly { readonly topic: string; readonly partitions: readonly { readonly partition: number }[] }[]
}

type Scripted = number | RunInferenceError | { readonly ms: number; readonly code?: number }

export interface ScriptedOptions extends Pick<GroupSessionOptions, 'protocols'> {
  /** What is committed for every partition; default: nothing. */
  readonly committed?: number
  /** Of the protocols that are offered, the one that the group takes; default: the first. */
  readonly choice?: number
}

/**
 * A session whose coordinator answers from a script by request name, and else as for a group of one. A number is an error
 * code; `ms` has the answer come so late, with a code or without.
 */
export function scriptedSession({ committed = -1, choice = 0, protocols }: ScriptedOptions = {}) {
  const clock = createManualClock()
  const events: string[] = []
  const requests: string[] = []
  const script = new Map<string, Scripted[]>()
  const last: { join?: RequestArgs; sync?: RequestArgs } = {}
  let generation = 0
  const answers: Record<string, (args: RequestArgs) => object> = {
    JoinGroup: args => {
      last.join = args
      generation++
      const id = args.memberId || 'm-1'
      const { name, metadata } = args.groupProtocols[choice]!
      return {
        generationId: generation,
        groupProtocol: name,
        leaderId: id,
        memberId: id,
        members: [{ memberId: id, memberMetadata: metadata }],
      }
    },
    SyncGroup: args => {
      last.sync = args
      return { memberAssignment: args.groupAssignment[0]!.memberAssignment }
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
    const late = typeof scripted === 'object' ? scripted.ms : 0
    const errorCode = typeof scripted === 'object' ? (scripted.code ?? 0) : scripted
    if (late > 0) await new Promise<void>(resolve => clock.after(late, resolve))
    const answer = answers[api]!(args as RequestArgs)
    const memberId = errorCode === MEMBER_ID_REQUIRED ? { memberId: 'm-given' } : {}
    return { ...answer, ...memberId, errorCode } as T
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
      rebalanceTimeoutMs: REBALANCE_MS,
      ...(protocols && { protocols }),
    },
    {
      onRebalance: () => void events.push('rebalance'),
      onExpelled: reason => void events.push(`expelled ${reason.split(' ')[0]}`),
      onHeartbeat: failure => void (failure && events.push(failure.code)),
    },
  )
  const nothing = { generation: -1, owned: new Map() }
  const answer = (api: string, ...entries: Scripted[]) => script.set(api, entries)
  return { clock, events, requests, session, answer, join: () => session.join(nothing), last }
}

const MEMBER_ID_REQUIRED = 79
