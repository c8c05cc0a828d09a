import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Lane } from '../../src/models/executor.ts'
import { LaneTurns } from '../../src/pipeline/lane-turns.ts'

const lane = (id: number, seat: number, occupied = 0) => ({ id, seat, occupied }) as Lane
const ids = (lanes: readonly Lane[]) => lanes.map(({ id }) => id)

describe('lanes that share seats', () => {
  const [first, second] = [lane(0, 0), lane(1, 1)]
  const turns = () => new LaneTurns([first, second])

  it('are asked about only while there are more lanes than seats', () => {
    assert.ok(!turns().areShared([first, second]))
    assert.ok(!turns().areShared([lane(2, 0), lane(3, 1)]))
    assert.ok(turns().areShared([first, second, lane(2, 0)]))
  })

  it('R1: an idle one is offered work only while no other lane of its seat has some', () => {
    assert.deepEqual(ids(turns().idle([first, second, lane(2, 0, 1), lane(3, 1)])), [1, 3])
  })

  it('R2: a busy one is given no more while another one of its seat has work', () => {
    const lanes = [lane(0, 0, 2), lane(1, 1, 1), lane(2, 0), lane(3, 1)]
    assert.deepEqual(ids(turns().busy(lanes, ({ id }) => id === 2)), [1])
    assert.deepEqual(ids(turns().busy(lanes, () => false)), [0, 1])
  })

  it('R3: the one that waits longest is first', () => {
    const taking = turns()
    const [third, fourth] = [lane(2, 0), lane(3, 0)]
    const lanes = [first, second, third, fourth]
    taking.took(first)
    assert.deepEqual(ids(taking.idle(lanes)), [1, 2, 3, 0])
    taking.took(third)
    taking.took(second)
    assert.deepEqual(ids(taking.idle(lanes)), [3, 0, 2, 1])
  })
})
