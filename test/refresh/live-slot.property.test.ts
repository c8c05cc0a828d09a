import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { RunInferenceError } from '../../src/errors.ts'
import { OWN, outage, slotOf, published as state, unusable } from '../support/live-slots.ts'

const models = ['', 'a', 'b', 'c']
const event = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('publish' as const), model: fc.constantFrom(...models) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('tombstone' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('end' as const),
      which: fc.nat(3),
      how: fc.constantFrom('well', 'well', 'unusable', 'outage', 'lost'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('time' as const), ms: fc.nat(40_000) }) },
)

describe('a slot, whatever happens', () => {
  it('L1–L7 hold at every moment, and the newest record decides in the end', async () => {
    const property = fc.asyncProperty(fc.array(event, { maxLength: 40 }), fc.boolean(), async (events, hasOwn) => {
      const { slot, clock, log, loads, update, open } = slotOf({ hasOwn })
      let revision = 0
      let offset = -1
      let wanted = ''
      let previous: string[] = []
      await update(undefined, offset)
      const served = () => log.findLast(each => each.startsWith('serve '))?.slice(6)
      const check = () => {
        const status = slot.status()
        const serving = served()
        assert.equal(status.modelId, serving === undefined ? undefined : serving || OWN, 'L1: the label is what serves')
        assert.deepEqual([status.revision, status.metadataOffset], [revision, offset], 'L2')
        assert.equal(open(), 0, 'L3: what was prepared has served or was discarded')
        assert.ok(loads.filter(load => !load.isOver && !load.signal.aborted).length <= 1, 'one load at a time')
        if (status.state === 'current') assert.equal(serving, wanted)
        else if (serving !== undefined && status.state === 'failed') assert.notEqual(status.reason, undefined)
      }
      for (const each of events) {
        const before = served()
        if (each.kind === 'publish') {
          previous = [wanted, ...previous].slice(0, 5)
          wanted = each.model
          const loadsBefore = loads.length
          await update(state(++revision, wanted, ...previous), ++offset)
          if (before === wanted) assert.equal(loads.length, loadsBefore, 'L4')
        } else if (each.kind === 'tombstone') {
          ;[revision, wanted, previous] = [0, '', []]
          await update(undefined, ++offset)
        } else if (each.kind === 'time') await clock.advance(each.ms)
        else {
          const open = loads.filter(load => !load.isOver)
          const load = open[each.which % Math.max(1, open.length)]
          const failure = {
            unusable: unusable('bad'),
            outage: outage('out'),
            lost: new RunInferenceError('LANE_LOST', 'x'),
          }
          load?.finish(failure[each.how as keyof typeof failure])
          await clock.settle()
          if (load?.signal.aborted) assert.equal(served(), before, 'L2: a cancelled load serves nothing')
        }
        check()
      }
      // From now on everything loads.
      for (let i = 0; i < 8; i++) {
        for (const load of loads) if (!load.isOver) load.finish()
        await clock.advance(30_000)
      }
      const failedBefore = slot.status().state === 'failed'
      await update(state(++revision, 'z'), ++offset)
      await clock.settle()
      for (const load of loads) if (!load.isOver) load.finish()
      await clock.settle()
      wanted = 'z'
      check()
      assert.equal(slot.status().state, 'current', failedBefore ? 'L5' : 'L2')
    })
    await fc.assert(property, { numRuns: 300 })
  })
})
