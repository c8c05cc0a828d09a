import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Admin } from '../../src/kafkajs/admin.ts'
import type { Cluster } from '../../src/kafkajs/cluster.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'

const NOT_COORDINATOR = 16

describe('what is asked of a group whose coordinator has moved', () => {
  it('committed offsets are asked of who it is now, within the patience of the call', async () => {
    const clock = createManualClock()
    let isKnown = false
    let lookUps = 0
    const call = (of: string) => async () => {
      const errorCode = of === 'old' ? NOT_COORDINATOR : 0
      const partitions = [{ partition: 0, errorCode: 0, offset: '7' }]
      return { errorCode, responses: errorCode === 0 ? [{ topic: 't', partitions }] : [] }
    }
    const cluster = {
      track: () => {},
      refresh: async () => {},
      topic: () => ({ errorCode: 0, leaders: [1] }),
      async coordinator() {
        if (!isKnown) lookUps++
        isKnown = true
        return { call: call(lookUps === 1 ? 'old' : 'new') }
      },
      forgetCoordinator: () => {
        isKnown = false
      },
    } as unknown as Cluster
    const admin = new Admin({ cluster, clock, random: () => 0.5, purpose: 'admin', patienceMs: 10_000 })
    const committed = admin.committed('g', 't')
    await clock.advance(5_000)
    assert.deepEqual(await committed, [7])
    assert.equal(lookUps, 2)
  })
})
