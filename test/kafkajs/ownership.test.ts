import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Generation } from '../../src/kafkajs/group-session.ts'
import { Ownership } from '../../src/kafkajs/ownership.ts'

function generation(number: number, partitions: readonly number[], memberId = 'm'): Generation {
  return {
    memberId,
    number,
    partitions: new Map([['t', partitions]]),
    freshTopics: new Set(),
    counted: undefined,
  }
}

function owning(partitions: readonly number[]) {
  const ownership = new Ownership()
  const { added } = ownership.enter(generation(5, partitions))
  const taken = ownership.take(added.map(partition => ({ ...partition, position: 100 })))
  return { ownership, taken }
}

const numbers = (list: readonly { partition: number }[]) => list.map(({ partition }) => partition)

describe('the partitions that a member owns', () => {
  for (const number of [5, 6]) {
    it(`O1 stay as they are from generation 5 to ${number}; what is not assigned again is lost`, () => {
      const { ownership, taken } = owning([0, 1])
      const { lost, added } = ownership.enter(generation(number, [1, 2]))
      assert.deepEqual([numbers(lost), numbers(added)], [[0], [2]])
      assert.ok(ownership.owns('t/1', taken[1]!.epoch))
      assert.ok(!ownership.owns('t/0', taken[0]!.epoch))
      assert.ok(!ownership.owns('t/2', 0), 'what is new is not owned before its position is known')
    })
  }

  it('O1 are all lost and assigned anew when a generation was missed', () => {
    const { ownership, taken } = owning([0, 1])
    const { lost, added } = ownership.enter(generation(7, [0, 1]))
    assert.deepEqual(
      [numbers(lost), numbers(added)],
      [
        [0, 1],
        [0, 1],
      ],
    )
    assert.ok(!ownership.owns('t/0', taken[0]!.epoch))
  })

  it('O1 are all lost and assigned anew under another member id', () => {
    const { ownership } = owning([0])
    const { lost, added } = ownership.enter(generation(6, [0], 'other'))
    assert.deepEqual([numbers(lost), numbers(added)], [[0], [0]])
  })

  it('O2 never come back under an epoch that they had', () => {
    const { ownership, taken } = owning([0, 1])
    assert.deepEqual(ownership.clear(), taken)
    const { added } = ownership.enter(generation(5, [0, 1]))
    const again = ownership.take(added.map(partition => ({ ...partition, position: 100 })))
    const epochs = [...taken, ...again].map(({ epoch }) => epoch)
    assert.equal(new Set(epochs).size, 4)
  })

  it('are claimed with the generation in which they were got, and not after they were lost', () => {
    const { ownership } = owning([0, 1])
    assert.deepEqual(ownership.claim(), { generation: 5, owned: new Map([['t', [0, 1]]]) })
    ownership.clear()
    assert.deepEqual(ownership.claim(), { generation: -1, owned: new Map() })
  })
})
