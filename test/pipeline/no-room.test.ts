/** Batches for which this process itself has no memory. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { WorkBlock } from '../../src/pipeline/work-block.ts'
import { type FakeLane, type FakeStep, fakeLane, fakeStep } from '../support/fake-lanes.ts'
import { blockOf, flowOf, sourceRecord, workOf } from '../support/work-blocks.ts'

function work(rows: number): WorkBlock {
  return workOf(blockOf(Array.from({ length: rows }, (_, i) => sourceRecord(i))), flowOf())
}

async function runAll({ step }: FakeStep, lane: FakeLane): Promise<void> {
  step.collect()
  const next = () => step.take(lane, 'idle', [lane], 0, 0)
  for (let batch = next(); batch; batch = next()) await step.run(step.acquire(lane, batch)!, batch)
}

describe('a batch for which a slot has no memory', () => {
  it('comes back in smaller ones', async () => {
    const lane = fakeLane()
    lane.roomFor = 5
    const fake = fakeStep([lane])
    const block = work(16)
    fake.queue(block, [...new Array(16).keys()])
    await runAll(fake, lane)
    assert.deepEqual(
      lane.runs.map(({ length }) => length),
      [4, 4, 4, 4],
    )
    assert.deepEqual([fake.delivered.length, lane.occupied], [16, 0])
  })

  it('of one row is a dead letter, and the next rows go on', async () => {
    const lane = fakeLane()
    lane.roomFor = 0
    const fake = fakeStep([lane])
    const block = work(2)
    fake.queue(block, [0])
    await runAll(fake, lane)
    assert.equal(block.failuresOf(0)![0]!.error.code, 'DEVICE_MEMORY')
    lane.roomFor = 1
    fake.queue(block, [1])
    await runAll(fake, lane)
    assert.deepEqual([fake.delivered, lane.occupied], [[1], 0])
  })
})
