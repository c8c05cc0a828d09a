import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { keyed, topology } from 'kafka-run-inference'
import { adding, addingTopology, assertShare, canary, KEYS, numbersIn, onTrial, sumsOut } from '../support/canaries.ts'
import { secondInstance } from '../support/on-driver.ts'

const models = (sums: readonly { readonly by: string }[]) => [...new Set(sums.map(({ by }) => by))].sort()

describe('a canary', () => {
  it('has exactly the keys of its share, and every prediction names the model that made it', async () => {
    const trial = await onTrial()
    const candidate = canary('2', 30)
    assert.deepEqual(models(await trial.pipe()), ['1'])
    await trial.canary(candidate)
    const sums = [...(await trial.pipe()), ...(await trial.pipe())]
    assert.equal(sums.length, 2 * KEYS.length)
    assertShare(sums, candidate, '1')
    assert.deepEqual(models(sums), ['1', '2'])
    const { state, modelId, candidate: told } = trial.status()
    assert.deepEqual([state, modelId, told?.state, told?.modelId, told?.revision], ['current', '1', 'current', '2', 1])
    await trial.driver.stop()
  })

  it('becomes the stable model without a load, and is no trial any more', async () => {
    const trial = await onTrial()
    await trial.canary(canary('2', 30))
    await trial.pipe()
    const loaded = [...trial.loads]
    await trial.promote()
    assert.deepEqual(models(await trial.pipe()), ['2'])
    assert.deepEqual(trial.loads, loaded)
    const { state, modelId, revision, candidate } = trial.status()
    assert.deepEqual([state, modelId, revision, candidate], ['current', '2', 2, undefined])
    await trial.canary(canary('3', 50))
    assertShare(await trial.pipe(), canary('3', 50), '2')
    await trial.rollback()
    assert.deepEqual(models(await trial.pipe()), ['1'])
    await trial.driver.stop()
  })

  for (const end of ['abort', 'rollback', 'publish'] as const) {
    it(`ends with ${end}: from then on all records are of the stable model`, async () => {
      const trial = await onTrial()
      await trial.publish('4')
      await trial.canary(canary('2', 50))
      assert.deepEqual(models(await trial.pipe()), ['2', '4'])
      await { abort: () => trial.abort(), rollback: () => trial.rollback(), publish: () => trial.publish('5') }[end]()
      assert.deepEqual(models(await trial.pipe()), [{ abort: '4', rollback: '1', publish: '5' }[end]])
      assert.equal(trial.status().candidate, undefined)
      assert.deepEqual(
        trial.driver.running.health().models.map(({ lanes }) => lanes),
        [1],
        'its lanes are gone',
      )
      await trial.driver.stop()
    })
  }

  it('that cannot be used changes nothing: status says why, and the stable model has all keys', async () => {
    const trial = await onTrial()
    await trial.canary(canary('bad', 50))
    assert.deepEqual(models(await trial.pipe()), ['1'])
    const { state, candidate } = trial.status()
    assert.deepEqual([state, candidate?.state], ['current', 'failed'])
    assert.match(candidate!.reason!, /garbage in bad/)
    assert.ok(trial.driver.running.health().ready)
    await trial.canary(canary('2', 50))
    assertShare(await trial.pipe(), canary('2', 50), '1')
    await trial.driver.stop()
  })

  it('with another share or salt stays loaded; a larger share has the keys of the smaller one', async () => {
    const trial = await onTrial()
    for (const candidate of [canary('2', 10), canary('2', 60), canary('2', 60, { salt: 'pepper' })]) {
      await trial.canary(candidate)
      assertShare(await trial.pipe(), candidate, '1')
    }
    assert.equal(trial.loads.filter(id => id === '2').length, 1)
    await trial.driver.stop()
  })

  it('of two that are published in quick succession the last one counts', async () => {
    const trial = await onTrial()
    await Promise.all([trial.canary(canary('2', 90)), trial.canary(canary('3', 40)), trial.canary(canary('4', 20))])
    const { candidate, revision } = await trial.published()
    assert.equal(revision, 3)
    assertShare(await trial.pipe(), candidate!, '1')
    await trial.driver.stop()
  })

  it('is loaded before an instance joins, and a restart gives the same keys to it', async () => {
    const trial = await onTrial()
    const { driver, loads } = trial
    const candidate = canary('2', 30)
    await trial.canary(candidate)
    await trial.pipe()
    await driver.running.stop()
    loads.splice(0)
    const second = await secondInstance(driver, addingTopology(loads))
    assert.deepEqual(loads.toSorted(), ['1', '2'])
    assertShare(await trial.pipe(), candidate, '1')
    await second.stop()
    await driver.stop()
  })

  it('an instance that cannot load it joins all the same', async () => {
    const trial = await onTrial()
    await trial.canary(canary('bad', 30))
    await trial.driver.running.stop()
    const second = await secondInstance(trial.driver, addingTopology([]))
    assert.ok(second.health().ready)
    assert.equal(second.health().slots[0]!.candidate!.state, 'failed')
    assert.deepEqual(models(await trial.pipe()), ['1'])
    await second.stop()
    await trial.driver.stop()
  })

  it('of one key’s model has keys of its own, and the other models have none to do with it', async () => {
    const mappings = [
      { keys: KEYS.slice(0, 150), handler: adding('1') },
      { keys: KEYS.slice(150), handler: adding('3') },
    ]
    const step = numbersIn.runInference('add', keyed(mappings), { modelMetadata: true })
    const trial = await onTrial(topology('t', [step.to('out', sumsOut)]))
    const candidate = canary('2', 30)
    await trial.canary(candidate, KEYS[0])
    const sums = await trial.pipe()
    const isFirst = ({ key }: { readonly key: string }) => KEYS.indexOf(key) < 150
    assertShare(sums.filter(isFirst), candidate, '1')
    assert.deepEqual(models(sums.filter(sum => !isFirst(sum))), ['3'])
    await trial.promote(KEYS[0])
    assert.deepEqual(models((await trial.pipe()).filter(isFirst)), ['2'])
    await trial.driver.stop()
  })
})

describe('a canary with a rule', () => {
  const abortIf = { failureFactor: 2, latencyFactor: 100, minRecords: 20 }

  it('that refuses records is given up for all instances, with the reason', async () => {
    const trial = await onTrial()
    const second = await secondInstance(trial.driver, addingTopology([]))
    await trial.canary(canary('picky-2', 50, { abortIf }))
    await trial.pipe()
    await trial.driver.advance(5_000)
    const last = await trial.published()
    assert.deepEqual([last.revision, last.candidate], [2, undefined], 'one instance has ended it')
    assert.match(last.reason!, /failed on the candidate/)
    assert.ok(['driver', 'second'].includes(last.publishedBy))
    for (const { candidate, revision } of [trial.status(), second.health().slots[0]!])
      assert.deepEqual([candidate, revision], [undefined, 2])
    assert.deepEqual(models(await trial.pipe()), ['1'])
    await second.stop()
    await trial.driver.stop()
  })

  it('has no more records from the verdict on, while the topic cannot be written', async () => {
    const trial = await onTrial()
    await trial.canary(canary('picky-2', 50, { abortIf }))
    const { broker } = trial.driver
    assert.ok(broker)
    await trial.driver.stop()
  })
})
