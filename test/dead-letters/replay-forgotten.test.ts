// S3: a run says from its start on how far it is, and one of which that is not known any more writes nothing a second time.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { planReplay } from '../../src/dead-letters/replay-plan.ts'
import { replayGroup } from '../../src/dead-letters/replay-run.ts'
import { cancelReplay } from '../../src/dead-letters/replay-start.ts'
import { RunInferenceError } from '../../src/errors.ts'
import { AUDIT, keysOf, LETTERS, numbered, REPLAY, replayWorld } from '../support/replay-world.ts'

const GROUP = replayGroup('shop', 'night')
const GUARANTEES = ['exactly_once', 'at_least_once'] as const
const all = (count: number) => keysOf(numbered(count).map(({ key }) => ({ key: String(key) })))

type World = Awaited<ReturnType<typeof replayWorld>>

/** Begins the run, and cuts it off from its brokers when it has written some letters. */
async function killed({ broker, start, clock, written }: World, guarantee: (typeof GUARANTEES)[number]) {
  const port = broker.connect()
  let isCut = false
  const onProgress = () => {
    if (isCut) return
    isCut = true
    broker.cut(port)
  }
  start({ guarantee }, { rate: 4, onProgress }, { port }).catch(() => {})
  for (let i = 0; i < 100 && !isCut; i++) await clock.advance(250)
  const some = (await written(REPLAY)).length
  assert.ok(some > 0 && some < 12, `${some} letters`)
}

describe('a replay that was killed', () => {
  for (const guarantee of GUARANTEES)
    it(`S3 is refused when brokers have forgotten how far it came, and writes no letter again, ${guarantee}`, async () => {
      const world = await replayWorld(numbered(12))
      const { broker, run, over, parts, written, audit, instance } = world
      await instance()
      await killed(world, guarantee)
      broker.forgetCommits(GROUP)
      const before = keysOf(await written(REPLAY))
      const forgotten = {
        code: 'REPLAY_FORGOTTEN',
        message:
          /run night \(started by anna@shop at .*\).*offsets\.retention\.minutes.*--name night --cancel.*--since /,
      }
      await assert.rejects(run({}, {}, { by: 'ben@shop' }), forgotten)
      await assert.rejects(over(planReplay(parts(), { name: 'night' })), forgotten)
      assert.deepEqual([keysOf(await written(REPLAY)), (await audit()).length], [before, 1])
      await over(cancelReplay(parts(), { name: 'night' }))
      assert.equal((await audit()).at(-1)!.kind, 'cancelled')
      assert.equal((await run({ name: 'other' })).end, 'finished')
    })

  it('S3 is refused also when it had written nothing yet', async () => {
    const { broker, run, instance, port } = await replayWorld(numbered(12))
    await instance()
    const onStarted = () => assert.fail('killed')
    await assert.rejects(run({}, { onStarted }))
    assert.deepEqual(await port.admin.committed(GROUP, LETTERS), [0, 0, 0])
    broker.forgetCommits(GROUP)
    await assert.rejects(run(), { code: 'REPLAY_FORGOTTEN' })
  })

  it('S3 goes on where it was as long as that is known', async () => {
    for (const guarantee of GUARANTEES) {
      const world = await replayWorld(numbered(12))
      await world.instance()
      await killed(world, guarantee)
      assert.equal((await world.run()).counts.replayed, 12)
      assert.deepEqual(keysOf(await world.written(REPLAY)), all(12))
    }
  })
})

describe('a replay that was stopped', () => {
  it('S3 goes on by what its audit says when brokers have forgotten it, and counts every letter once', async () => {
    const { broker, run, instance, written } = await replayWorld(numbered(12))
    await instance()
    await run({}, { limit: 5 })
    broker.forgetCommits(GROUP)
    let losses = 0
    const onProgress = () => {
      if (losses++ < 2) broker.failNext('endTransaction', new RunInferenceError('TRANSACTION_LOST', 'says the test'))
    }
    const { counts } = await run({}, { rate: 4, onProgress })
    assert.deepEqual(counts, { replayed: 12, parked: 0, lost: 0 })
    assert.deepEqual(keysOf(await written(REPLAY)), all(12))
  })
})

describe('a replay that begins', () => {
  it('S3 begins with the first letters, whatever was committed under its name before', async () => {
    const { port, run, instance, written } = await replayWorld(numbered(9))
    await instance()
    const writer = port.transactionalWriter({ transactionalId: 'somebody', timeoutMs: 60_000 })
    await writer.fence()
    const offsets = [0, 1, 2].map(partition => ({ topic: LETTERS, partition, offset: 2, metadata: '7 0 0' }))
    await writer.sendOffsets(GROUP, offsets)
    await writer.commit()
    assert.equal((await run()).counts.replayed, 9)
    assert.deepEqual(keysOf(await written(REPLAY)), all(9))
  })

  it('S3 has begun and said where, or neither, and keeps nobody from reading the audit', async () => {
    const { broker, port, run, instance, audit } = await replayWorld(numbered(3))
    await instance()
    broker.failNext('sendOffsets', new RunInferenceError('AUTHORISATION', 'may not read the group'))
    await assert.rejects(run(), { code: 'AUTHORISATION' })
    assert.deepEqual([await audit(), broker.openTransactions()], [[], []])
    const [log] = await port.admin.offsets(AUDIT)
    assert.deepEqual([log], await port.admin.offsets(AUDIT, 'written'))
    broker.loseResponse(2, 'sendOffsets')
    assert.equal((await run()).counts.replayed, 3)
  })
})
