import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { RunInferenceError } from '../../src/errors.ts'
import { loadingLane, modelSetOn } from '../support/loading-lanes.ts'

const [A, B, C] = [0, 1, 2]

describe('the models that a lane holds', () => {
  it('L1, L3: the least recently used leaves before the next one is loaded', async () => {
    const lane = loadingLane(0)
    const { set, told, load } = modelSetOn([lane], 3, { maxModelsPerWorker: 2 })
    await load(lane, A)
    await load(lane, B)
    set.acquire(lane, A)!.release()
    await load(lane, C)
    assert.deepEqual(lane.log, ['load a', 'load b', 'unload b', 'load c'])
    assert.deepEqual(
      told.filter(each => each !== 'changed'),
      ['loaded a in 0: 1', 'loaded b in 0: 2', 'evicted b from 0: 1', 'loaded c in 0: 2'],
    )
    await load(lane, B)
    assert.deepEqual(lane.log.slice(4), ['unload a', 'load b'], 'a fresh load')
  })

  it('L3: a model whose slots are in use stays: the load waits for them', async () => {
    const lane = loadingLane(0)
    const { set } = modelSetOn([lane], 2, { maxModelsPerWorker: 1 })
    set.load(lane, A)
    await Promise.resolve()
    await lane.finish()
    const slots = [set.acquire(lane, A)!, set.acquire(lane, A)!]
    set.load(lane, B)
    for (const slot of slots) {
      await Promise.resolve()
      assert.deepEqual(lane.log, ['load a'])
      assert.ok(!set.takesBatches(lane))
      slot.release()
    }
    await Promise.resolve()
    await Promise.resolve()
    assert.deepEqual(lane.log, ['load a', 'unload a', 'load b'])
  })

  it('L2: models leave for bytes: after a first load that showed its size, before a load whose size is known', async () => {
    const lane = loadingLane(0, { a: 40, b: 50, c: 60 })
    const { load } = modelSetOn([lane], 3, { maxBytesPerWorker: 100 })
    await load(lane, A)
    await load(lane, B)
    await load(lane, C)
    assert.deepEqual(lane.log, ['load a', 'load b', 'load c', 'unload a', 'unload b'])
    await load(lane, A)
    await load(lane, B)
    assert.deepEqual(lane.log.slice(5), ['load a', 'unload c', 'load b'])
  })

  it('L2: a model that is larger than the limit is held alone', async () => {
    const lane = loadingLane(0, { a: 40, b: 500 })
    const { set, load } = modelSetOn([lane], 2, { maxBytesPerWorker: 100 })
    await load(lane, A)
    await load(lane, B)
    assert.deepEqual(lane.log, ['load a', 'load b', 'unload a'])
    await load(lane, A)
    assert.deepEqual(lane.log.slice(3), ['unload b', 'load a'])
    await load(lane, B)
    assert.deepEqual(lane.log.slice(5), ['unload a', 'load b'])
    assert.equal(set.modelIn(lane, B)?.loaded.modelId, 'b')
  })

  it('L2: what is in use when the limit is found to be passed leaves when it is free, and what just came stays', async () => {
    const lane = loadingLane(0, { a: 60, b: 60 })
    const { set, load } = modelSetOn([lane], 2, { maxBytesPerWorker: 100 })
    await load(lane, A)
    const slot = set.acquire(lane, A)!
    await load(lane, B)
    assert.deepEqual(lane.log, ['load a', 'load b'])
    slot.release()
    assert.deepEqual(lane.log.slice(2), ['unload a'])
  })

  it('L4: a load that fails leaves nothing behind that another one could stumble over (Q4)', async () => {
    const lane = loadingLane(0)
    const { set, clock, load } = modelSetOn([lane], 2, { maxModelsPerWorker: 1 })
    set.load(lane, A)
    await Promise.resolve()
    await lane.finish(new RunInferenceError('MODEL_UNUSABLE', 'bad'))
    assert.ok(set.takesBatches(lane))
    await load(lane, B)
    await clock.advance(10_000)
    await load(lane, A)
    assert.deepEqual(lane.log, ['load a', 'load b', 'unload b', 'load a'])
  })

  it('L1–L4 for any course of loads, uses and failures', async () => {
    const act = fc.record({
      cohort: fc.nat({ max: 4 }),
      fails: fc.boolean(),
      uses: fc.nat({ max: 2 }),
      frees: fc.boolean(),
    })
    const given = {
      models: fc.integer({ min: 1, max: 3 }),
      bytes: fc.constantFrom(undefined, 3, 6),
      acts: fc.array(act),
    }
    await fc.assert(
      fc.asyncProperty(fc.record(given), async ({ models, bytes, acts }) => {
        const sizes: Record<string, number> = { a: 1, b: 2, c: 3, d: 4, e: 5 }
        const lane = loadingLane(0, sizes)
        const limits = { maxModelsPerWorker: models, ...(bytes === undefined ? {} : { maxBytesPerWorker: bytes }) }
        const { set } = modelSetOn([lane], 5, limits)
        const taken: (() => void)[] = []
        for (const { cohort, fails, uses, frees } of acts) {
          if (!set.modelIn(lane, cohort)) {
            set.load(lane, cohort)
            while (taken.length > 0 && lane.log.at(-1) !== `load ${'abcde'[cohort]}`) {
              taken.pop()!()
              for (let i = 0; i < 5; i++) await Promise.resolve()
            }
            for (let i = 0; i < 5; i++) await Promise.resolve()
            const failure = fails ? new RunInferenceError('LANE_LOST', 'x') : undefined
            const heldBefore = heldIn(lane.log).slice(0, -1)
            assert.ok(heldBefore.length < models, 'L1: room was made before the load')
            await lane.finish(failure)
            if (failure) lane.log.push(`unload ${'abcde'[cohort]}`)
          }
          if (set.modelIn(lane, cohort)) {
            for (let i = 0; i < uses; i++) {
              const slot = set.acquire(lane, cohort)!
              taken.push(() => {
                assert.ok(set.modelIn(lane, cohort), 'L3: never let go while in use')
                slot.release()
              })
            }
          }
          if (frees) for (const free of taken.splice(0)) free()
          const held = heldIn(lane.log)
          assert.deepEqual(
            held,
            [...'abcde'].filter((_, i) => set.modelIn(lane, i)),
            'L4: the set knows what is loaded',
          )
          const sum = held.reduce((total, name) => total + sizes[name]!, 0)
          if (taken.length === 0) assert.ok(held.length <= 1 || sum <= (bytes ?? Number.POSITIVE_INFINITY), 'L2')
        }
      }),
      { numRuns: 300 },
    )
  })
})

function heldIn(log: readonly string[]): string[] {
  const held = new Set<string>()
  for (const entry of log) {
    const [what, name] = entry.split(' ')
    if (what === 'load') held.add(name!)
    else held.delete(name!)
  }
  return [...held].sort()
}
