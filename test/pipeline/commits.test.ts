import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { CommitRequest } from '../../src/kafka/port.ts'
import { Commits } from '../../src/pipeline/commits.ts'
import type { PartitionFlow } from '../../src/pipeline/partition-flow.ts'
import { createManualClock } from '../../src/testing/index.ts'
import { flowOf } from '../support/work-blocks.ts'

function setUp(
  answer: (offsets: readonly CommitRequest[]) => Promise<readonly boolean[]> = async all => all.map(() => true),
) {
  const clock = createManualClock()
  const requests: string[][] = []
  const errors: unknown[] = []
  const told: number[] = []
  const member = {
    commit(offsets: readonly CommitRequest[]) {
      requests.push(offsets.map(({ partition, epoch, offset }) => `${partition}@${epoch}:${offset}`))
      return answer(offsets)
    },
  }
  const commits = new Commits(
    member,
    clock,
    100,
    flow => told.push(flow.partition),
    error => errors.push(error),
  )
  const move = (flow: PartitionFlow, offset: number) => {
    flow.committable = offset
    commits.mark(flow)
  }
  return { clock, requests, errors, told, commits, move }
}

describe('commits', () => {
  it('go out once per interval, all partitions in one request, with the newest offset', async () => {
    const { clock, requests, move } = setUp()
    const [one, two] = [flowOf('in', 1), flowOf('in', 2)]
    move(one, 5)
    move(two, 7)
    move(one, 9)
    await clock.advance(99)
    assert.deepEqual(requests, [])
    await clock.advance(1)
    assert.deepEqual(requests, [['1@1:9', '2@1:7']])
    assert.equal(one.committed, 9)
    await clock.advance(1_000)
    assert.equal(requests.length, 1, 'nothing new, nothing sent')
  })

  it('K2: nothing goes out for a partition that was lost; a refused offset is not taken for committed', async () => {
    const { clock, requests, told, move } = setUp(async all => all.map(({ partition }) => partition !== 2))
    const flows = [flowOf('in', 1), flowOf('in', 2), flowOf('in', 3)]
    for (const flow of flows) move(flow, 4)
    flows[0]!.lost = true
    await clock.advance(100)
    assert.deepEqual(requests, [['2@1:4', '3@1:4']])
    assert.deepEqual(told, [3])
    assert.deepEqual(
      flows.map(({ committed }) => committed),
      [0, 0, 4],
    )
  })

  it('K3: what moves while a request is under way goes with the next one; offsets never go back', async () => {
    const gate = Promise.withResolvers<void>()
    const { clock, requests, move } = setUp(async all => {
      await gate.promise
      return all.map(() => true)
    })
    const flow = flowOf('in', 1)
    move(flow, 3)
    await clock.advance(100)
    move(flow, 6)
    await clock.advance(1_000)
    assert.deepEqual(requests, [['1@1:3']], 'one at a time')
    gate.resolve()
    await clock.advance(100)
    assert.deepEqual(requests, [['1@1:3'], ['1@1:6']])
    assert.equal(flow.committed, 6)
    move(flow, 6)
    await clock.advance(100)
    assert.equal(requests.length, 2)
  })

  it('flush commits at once, and waits for the request that is under way', async () => {
    const { clock, requests, commits, move } = setUp()
    const flow = flowOf('in', 1)
    move(flow, 3)
    await commits.flush()
    assert.deepEqual(requests, [['1@1:3']])
    await commits.flush()
    await clock.advance(1_000)
    assert.equal(requests.length, 1)
  })

  it('that fail for good are told', async () => {
    const { clock, errors, move } = setUp(async () => {
      throw new Error('no right')
    })
    move(flowOf(), 3)
    await clock.advance(100)
    assert.match(String(errors[0]), /no right/)
  })

  it('that are waited for end, also while other partitions go on: those that come later are not waited for', async () => {
    let answers = 0
    const other = flowOf('in', 2)
    const { commits, requests, move, clock } = setUp(async all => {
      // Another group of the instance is busy: each answer finds more that is acknowledged.
      if (++answers < 100) move(other, other.committable + 1)
      return all.map(() => true)
    })
    move(flowOf('in', 1), 5)
    await commits.flush()
    assert.ok(requests.length <= 2, `${requests.length} requests`)
    await clock.advance(100)
    assert.ok(requests.length <= 3, 'and the interval is kept')
  })

  it('that two wait for are there for both', async () => {
    const gates: PromiseWithResolvers<void>[] = []
    const { commits, move } = setUp(async all => {
      const gate = Promise.withResolvers<void>()
      gates.push(gate)
      await gate.promise
      return all.map(() => true)
    })
    const flow = flowOf()
    move(flow, 5)
    const first = commits.flush()
    move(flow, 6)
    const committed = [commits.flush(), commits.flush()].map(flushed => flushed.then(() => flow.committed))
    for (let i = 0; i < 2; i++) {
      gates[i]!.resolve()
      await first
      for (let turn = 0; turn < 10; turn++) await Promise.resolve()
    }
    assert.deepEqual(await Promise.all(committed), [6, 6])
  })
})
