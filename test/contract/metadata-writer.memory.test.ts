import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import { memoryFeatures } from './memory-features.ts'
import { metadataWriterContract, opened, publish, settled } from './metadata-writer.contract.ts'
import { Harness, withCode } from './port-harness.ts'

const { broker, clock, features } = memoryFeatures('metadata')

metadataWriterContract(features)

suite('writing the metadata topic, with faults', () => {
  test('a commit whose answer is lost is not done twice', async t => {
    const h = await Harness.open(features, t)
    const { change, states } = await opened(features, h)
    await settled(features, change('infer', publish('v1')))
    let decisions = 0
    broker.loseResponse(1, 'endTransaction')
    const written = await settled(
      features,
      change('infer', state => {
        decisions++
        return publish('v2')(state)
      }),
    )
    assert.deepEqual([written!.state!.revision, decisions], [2, 1])
    assert.deepEqual(
      (await states('infer')).map(state => state!.revision),
      [1, 2],
    )
  })

  test('a commit that never came is done again', async t => {
    const h = await Harness.open(features, t)
    const { change, states } = await opened(features, h)
    broker.failNext('endTransaction', new RunInferenceError('TRANSACTION_LOST', 'the answer makes no sense'))
    const written = await settled(features, change('infer', publish('v1')))
    assert.equal(written!.state!.revision, 1)
    assert.deepEqual(
      (await states('infer')).map(state => state!.revision),
      [1],
    )
  })

  test('who is always pushed out gives up in time, and says so', async t => {
    const h = await Harness.open(features, t)
    const { topic, change } = await opened(features, h)
    const other = h.transactional(topic)
    let decisions = 0
    const result = change(
      'infer',
      state => {
        decisions++
        // Somebody else takes over behind every decision.
        other.fence().catch(() => {})
        return publish('v1')(state)
      },
      { patienceMs: 5_000 },
    )
    const startedMs = features.clock.now()
    await assert.rejects(settled(features, result), (error: RunInferenceError) => {
      assert.equal(error.code, 'TRANSACTION_FENCED')
      assert.match(error.message, /slot infer: nothing was published: others write to .* all the time \(\d+ tries/)
      return true
    })
    assert.ok(decisions > 3 && features.clock.now() - startedMs <= 6_000, `${decisions}`)
    assert.deepEqual(await h.scan(topic, 0), [])
  })

  test('an outage is waited for, and told when it lasts', async t => {
    const h = await Harness.open(features, t)
    const { change } = await opened(features, h)
    broker.down()
    const published = change('infer', publish('v1'))
    await clock.advance(2_000)
    broker.up()
    assert.equal((await settled(features, published))!.state!.revision, 1)
    broker.down()
    await assert.rejects(
      settled(features, change('infer', publish('v2'), { patienceMs: 3_000 })),
      withCode('BROKER_UNAVAILABLE'),
    )
    broker.up()
  })

  test('what the broker refuses is said, and leaves no transaction open', async t => {
    const h = await Harness.open(features, t)
    const { change, topic } = await opened(features, h)
    const mend = broker.refuse(batch => batch.topic === topic, 'MESSAGE_TOO_LARGE')
    await assert.rejects(settled(features, change('infer', publish('v1'))), /BROKER_REFUSED.*MESSAGE_TOO_LARGE/)
    mend()
    assert.deepEqual(broker.openTransactions(), [])
    assert.equal((await settled(features, change('infer', publish('v1'))))!.state!.revision, 1)
  })
})
