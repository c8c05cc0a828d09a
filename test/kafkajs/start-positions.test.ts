// What a member does to find out where its partitions start, while its group goes on without waiting for it.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Backoff } from '../../src/kafkajs/backoff.ts'
import { startPositionsInTime } from '../../src/kafkajs/start-positions.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'

const ILLEGAL_GENERATION = 22

interface SentCommit {
  readonly groupGenerationId: number
  readonly memberId: string
  readonly topics: readonly {
    readonly partitions: readonly { readonly partition: number; readonly offset: string }[]
  }[]
}

/** Member m in generation 3 takes t/0, of which nothing is committed; the log ends at 50, and says so when the test lets it. */
function setup() {
  const clock = createManualClock()
  const group = { memberId: 'm', generation: 3 }
  const taken: string[] = []
  const ends = Promise.withResolvers<void>()
  const over = new AbortController()
  /** As the broker: whoever names member and generation rightly may commit, for every partition. */
  const commit = ({ groupGenerationId, memberId, topics }: SentCommit) => {
    const stands = groupGenerationId === group.generation && memberId === group.memberId
    const partitions = topics[0]!.partitions.map(({ partition, offset }) => {
      if (stands) taken.push(`${groupGenerationId}: ${partition}@${offset}`)
      return { partition, errorCode: stands ? 0 : ILLEGAL_GENERATION }
    })
    return { responses: [{ topic: 't', partitions }] }
  }
  const offsets = (offset: string) => ({
    errorCode: 0,
    responses: [{ topic: 't', partitions: [{ partition: 0, errorCode: 0, offset }] }],
  })
  const call = async <T>(api: string, args: object): Promise<T> => {
    if (api === 'OffsetFetch') return offsets('-1') as T
    if (api === 'OffsetCommit') return commit(args as SentCommit) as T
    await ends.promise
    return offsets('50') as T
  }
  const coordinator = async () => ({ call })
  // The session goes on with its group.
  const session = { ...{ coordinator, forgetCoordinator: () => {} }, memberId: 'm', generation: 3 }
  const positions = startPositionsInTime(
    {
      cluster: { leader: () => 1, refresh: async () => {}, channel: () => ({ call }), coordinator },
      ...{
        session,
        clock,
        purpose: 'p',
        groupId: 'g',
        requireStable: true,
        starts: new Map([['t', 'latest' as const]]),
      },
      ...{ backoff: new Backoff(clock, () => 0.5), over: over.signal },
      ...{ before: async () => {}, onTrouble: () => {} },
    },
    [{ topic: 't', partition: 0 }],
    new Set(['t']),
  )
  const rebalance = () => {
    over.abort()
    session.generation = ++group.generation
  }
  return { clock, positions, taken, answer: () => ends.resolve(), rebalance }
}

describe('where a partition starts', () => {
  it('is committed before it is used', async () => {
    const { positions, taken, answer } = setup()
    answer()
    assert.deepEqual(await positions, new Map([['t/0', 50]]))
    assert.deepEqual(taken, ['3: 0@50'])
  })

  it('is not committed by a member whose generation has ended: who has the partition now has gone on', async () => {
    const { clock, positions, taken, answer, rebalance } = setup()
    await clock.settle()
    rebalance()
    answer()
    assert.equal(await positions, undefined)
    assert.deepEqual(taken, [])
  })
})
