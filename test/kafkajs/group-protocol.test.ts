import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { GROUP_PROTOCOLS, type GroupProtocol } from '../../src/kafkajs/group-protocol.ts'
import { MemberAssignment, MemberMetadata } from '../../src/kafkajs/internals.ts'
import { scriptedSession } from '../support/scripted-coordinator.ts'

const [current] = GROUP_PROTOCOLS as readonly [GroupProtocol]

/** A claim of another version: whatever it puts into userData. */
const claimOf = (userData: unknown) =>
  MemberMetadata.encode({ version: 0, topics: ['t'], userData: Buffer.from(JSON.stringify(userData)) })
const shareOf = (userData: unknown) =>
  MemberAssignment.encode({
    version: 0,
    assignment: { t: [0, 1] },
    userData: Buffer.from(JSON.stringify(userData)),
  })

describe('what members of a group tell each other', () => {
  it('a claim and a share come back as they were', () => {
    const claim = { topics: ['t', 'u'], generation: 3, owned: new Map([['t', [1, 4]]]) }
    assert.deepEqual(current.decodeClaim('m', current.encodeClaim(claim)), { id: 'm', version: 1, ...claim })
    const partitions = new Map([['t', [0, 1]]])
    assert.deepEqual(current.decodeShare(current.encodeShare(partitions, ['u'])), {
      partitions,
      freshTopics: new Set(['u']),
    })
  })

  it('V1 reads what older members say, and passes over what newer ones add', () => {
    const older = current.decodeClaim('m', claimOf({ g: 3, owned: { t: [1] } }))
    assert.deepEqual(older, { id: 'm', topics: ['t'], version: 0, generation: 3, owned: new Map([['t', [1]]]) })
    const newer = current.decodeClaim('m', claimOf({ v: 9, g: 3, owned: { t: [1] }, rack: 'a', weights: { t: 2 } }))
    assert.deepEqual(newer, { ...older, version: 9 })
    assert.deepEqual(current.decodeShare(shareOf({ v: 9, fresh: ['t'], moves: 3 })).freshTopics, new Set(['t']))
    assert.deepEqual(current.decodeShare(shareOf({})).freshTopics, new Set())
  })

  it('V1 a claim that cannot be read, whole or in part, owns nothing; its topics still hold', () => {
    const nothing = { id: 'm', topics: ['t'], version: 0, generation: -1, owned: new Map() }
    for (const userData of [{}, null, 7, 'x', [], { g: 'x', owned: 'all' }, { g: null, owned: { t: '0-5' } }])
      assert.deepEqual(current.decodeClaim('m', claimOf(userData)), nothing, JSON.stringify(userData))
    const bytes = current.encodeClaim({ topics: ['t'], generation: 3, owned: new Map([['t', [1]]]) })
    bytes[bytes.length - 1] = 0
    assert.deepEqual(current.decodeClaim('m', bytes), nothing)
    const odd = current.decodeClaim('m', claimOf({ g: 2, owned: { t: [-1, 0.5, '2', 3, null], u: {} } }))
    assert.deepEqual(odd.owned, new Map([['t', [3]]]))
  })

  it('V1 a claim that is none gets nothing, and takes no time and memory: a count of topics is only a count', () => {
    const bytes = current.encodeClaim({ topics: ['t'], generation: 3, owned: new Map() })
    bytes.writeInt32BE(0x7fffffff, 2)
    const before = process.memoryUsage().rss
    for (const claim of [bytes, Buffer.alloc(0), Buffer.of(0), bytes.subarray(0, 8)])
      assert.deepEqual(current.decodeClaim('m', claim).topics, [])
    assert.ok(process.memoryUsage().rss - before < 100_000_000)
  })

  it('V1 a share that is none is the word of a broken leader, not a bug of ours', () => {
    const bytes = current.encodeShare(new Map([['t', [0, 1]]]), [])
    bytes.writeInt32BE(0x7fffffff, 2)
    for (const share of [bytes, bytes.subarray(0, 9)])
      assert.throws(() => current.decodeShare(share), { code: 'BROKER_REFUSED' })
  })

  it('V1 a share whose own part cannot be read still gives its partitions', () => {
    for (const userData of [null, 7, { fresh: 't' }, { fresh: [1, null] }]) {
      const { partitions, freshTopics } = current.decodeShare(shareOf(userData))
      assert.deepEqual([partitions, freshTopics], [new Map([['t', [0, 1]]]), new Set()], JSON.stringify(userData))
    }
    assert.equal(current.decodeShare(Buffer.alloc(0)).partitions.size, 0)
  })

  for (const choice of [0, 1]) {
    it(`V2 offers all that it speaks, the newest first, and speaks what the broker chose (${choice})`, async () => {
      const spoken: string[] = []
      const next: GroupProtocol = {
        ...current,
        name: 'next',
        decodeClaim(id, bytes) {
          spoken.push('claim')
          return current.decodeClaim(id, bytes)
        },
        encodeShare(partitions, fresh) {
          spoken.push('share')
          return Buffer.concat([Buffer.from('next'), current.encodeShare(partitions, fresh)])
        },
        decodeShare: bytes => current.decodeShare(bytes.subarray(4)),
      }
      const { join, last } = scriptedSession({ protocols: [next, current], choice })
      const generation = await join()
      assert.deepEqual(
        last.join!.groupProtocols.map(({ name }) => name),
        ['next', 'kri-sticky-v1'],
      )
      assert.deepEqual([...generation!.partitions], [['t', [0, 1]]])
      assert.deepEqual(spoken, choice === 0 ? ['claim', 'share'] : [])
    })
  }
})
