import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { assignPartitions, type GroupMemberClaim, type Partitions } from '../../src/kafkajs/assigner.ts'

const TOPICS = ['a', 'b', 'c', 'd']

const scenario = fc.record({
  counts: fc.uniqueArray(fc.tuple(fc.constantFrom(...TOPICS), fc.integer({ min: 0, max: 9 })), {
    minLength: 1,
    selector: ([topic]) => topic,
  }),
  subscriptions: fc.array(fc.subarray(TOPICS, { minLength: 1 }), { minLength: 1, maxLength: 6 }),
})

function newcomer(id: string, topics: readonly string[]): GroupMemberClaim {
  return { id, topics, generation: -1, owned: new Map() }
}

function remembering(members: readonly GroupMemberClaim[], shares: Map<string, Partitions>): GroupMemberClaim[] {
  return members.map(member => ({ ...member, generation: 1, owned: shares.get(member.id)! }))
}

function ownersOf(shares: Map<string, Partitions>): Map<string, string> {
  const owners = new Map<string, string>()
  for (const [id, partitions] of shares) {
    for (const [topic, numbers] of partitions) {
      for (const n of numbers) {
        assert.equal(owners.get(`${topic}/${n}`), undefined, `${topic}/${n} was given out twice`)
        owners.set(`${topic}/${n}`, id)
      }
    }
  }
  return owners
}

const sizeOf = (partitions: Partitions, topics: readonly string[]) =>
  topics.reduce((sum, topic) => sum + (partitions.get(topic)?.length ?? 0), 0)

describe('the assigner', () => {
  it('A1 gives every partition to exactly one member that subscribes to its topic', () => {
    fc.assert(
      fc.property(scenario, ({ counts, subscriptions }) => {
        const members = subscriptions.map((topics, i) => newcomer(`m${i}`, topics))
        const owners = ownersOf(assignPartitions(members, new Map(counts)))
        for (const [topic, count] of counts) {
          const subscribers = members.filter(m => m.topics.includes(topic)).map(m => m.id)
          for (let n = 0; n < count; n++) {
            const owner = owners.get(`${topic}/${n}`)
            if (subscribers.length === 0) assert.equal(owner, undefined)
            else assert.ok(subscribers.includes(owner!), `${topic}/${n} went to ${owner}`)
          }
        }
        assert.ok([...owners.keys()].every(key => Number(key.split('/')[1]) < new Map(counts).get(key.split('/')[0]!)!))
      }),
    )
  })

  it('A2 balances every topic, and all topics of one set of subscribers, within one partition', () => {
    fc.assert(
      fc.property(scenario, fc.array(fc.nat(5), { maxLength: 3 }), ({ counts, subscriptions }, leavers) => {
        let members = subscriptions.map((topics, i) => newcomer(`m${i}`, topics))
        const partitionCounts = new Map(counts)
        let shares = assignPartitions(members, partitionCounts)
        for (const leaver of [...leavers, 99]) {
          members = remembering(members, shares).filter(m => m.id !== `m${leaver}`)
          shares = assignPartitions(members, partitionCounts)
          const groups = Map.groupBy(partitionCounts.keys(), topic =>
            members.map(m => (m.topics.includes(topic) ? m.id : '')).join(),
          )
          for (const topics of groups.values()) {
            const subscribers = members.filter(m => m.topics.includes(topics[0]!))
            for (const set of [topics, ...topics.map(topic => [topic])]) {
              const sizes = subscribers.map(m => sizeOf(shares.get(m.id)!, set))
              if (sizes.length > 0) assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1, `${set}: ${sizes}`)
            }
          }
        }
      }),
    )
  })

  it('A3 moves nothing when nothing changed, whatever the order in which members are listed', () => {
    fc.assert(
      fc.property(scenario, fc.boolean(), ({ counts, subscriptions }, reversed) => {
        const members = subscriptions.map((topics, i) => newcomer(`m${i}`, topics))
        const first = assignPartitions(members, new Map(counts))
        const again = remembering(members, first)
        const second = assignPartitions(reversed ? again.reverse() : again, new Map(counts))
        assert.deepEqual(ownersOf(second), ownersOf(first))
      }),
    )
  })

  it('A3 lets a member that joins take only what others have too many of (one topic, or a topic and its replay)', () => {
    fc.assert(
      fc.property(fc.nat(24), fc.constantFrom(1, 2), fc.integer({ min: 1, max: 9 }), (size, topicCount, n) => {
        const counts = new Map(TOPICS.slice(0, topicCount).map(topic => [topic, size]))
        const topics = [...counts.keys()]
        const members = Array.from({ length: n }, (_, i) => newcomer(`m${i}`, topics))
        const before = assignPartitions(members, counts)
        // The joiner's id sorts before the others: ids must not decide who keeps what.
        const joined = [newcomer('joiner', topics), ...remembering(members, before)]
        const after = ownersOf(assignPartitions(joined, counts))
        for (const [key, owner] of ownersOf(before)) {
          assert.ok(after.get(key) === owner || after.get(key) === 'joiner', `${key}: ${owner} to ${after.get(key)}`)
        }
      }),
    )
  })

  it('A3 believes the newer of two claims to a partition', () => {
    const stale = { id: 'a', topics: ['t'], generation: 3, owned: new Map([['t', [0, 1]]]) }
    const fresh = { id: 'b', topics: ['t'], generation: 4, owned: new Map([['t', [1]]]) }
    const owners = ownersOf(assignPartitions([stale, fresh], new Map([['t', 2]])))
    assert.deepEqual([owners.get('t/0'), owners.get('t/1')], ['a', 'b'])
  })

  it('A4 puts equal partition numbers of topics of equal size on one member when the count divides evenly', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 4 }), (n, perMember) => {
        const counts = new Map(['app.digits.replay', 'digits'].map(topic => [topic, n * perMember]))
        const topics = [...counts.keys()]
        let members = Array.from({ length: n }, (_, i) => newcomer(`m${i}`, topics))
        members = [...remembering(members, assignPartitions(members, counts))]
        const owners = ownersOf(assignPartitions(members, counts))
        for (let p = 0; p < n * perMember; p++) {
          assert.equal(owners.get(`digits/${p}`), owners.get(`app.digits.replay/${p}`))
        }
      }),
    )
  })
})
