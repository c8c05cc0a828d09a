import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { keyed, topology } from 'kafka-run-inference'
import { modelMetadataTopic } from '../../src/kafka/topic-names.ts'
import type { Executor } from '../../src/models/executor.ts'
import { readMetadata } from '../../src/refresh/metadata-log.ts'
import { slotText } from '../../src/refresh/slot.ts'
import { published } from '../../src/refresh/state-changes.ts'
import { createFaultyExecutor, type FaultyExecutor } from '../../src/testing/faulty-executor.ts'
import { adding, assertShare, canary, KEYS, named, numbersIn, onTrial, sumsOut } from '../support/canaries.ts'

const modelId = fc.constantFrom('2', '3', '4')
const just = <K extends string>(...kinds: K[]) => fc.record({ kind: fc.constantFrom(...kinds) })
const event = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('trial' as const),
      modelId,
      mode: fc.constantFrom('canary' as const, 'canary' as const, 'shadow' as const),
      percent: fc.constantFrom(10, 50, 100),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('publish' as const), modelId }) },
  { weight: 3, arbitrary: just('promote', 'abort') },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('send' as const), count: fc.integer({ min: 1, max: 200 }) }) },
  { weight: 4, arbitrary: just('hang', 'go on') },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('lose' as const), which: fc.nat(3) }) },
)

/** What keeps lanes from their work, until `end`. */
function troubles(executor: FaultyExecutor) {
  const ends: (() => void)[] = []
  return {
    hang: () => void ends.push(executor.hang()),
    lose(which: number) {
      const lane = executor.lanes[which]
      if (lane) ends.push(executor.lose(lane.id))
    },
    end: () => ends.splice(0).forEach(end => void end()),
  }
}

async function started(lanes: number, isPerKey: boolean) {
  let executor: FaultyExecutor | undefined
  const clock = { now: () => 0, wallTime: () => 0, after: () => () => {} }
  const wrapExecutor = (inner: Executor) => {
    executor = createFaultyExecutor(inner, { clock })
    return executor
  }
  const mappings = [
    { keys: KEYS.slice(0, 150), handler: adding('1') },
    { keys: KEYS.slice(150), handler: adding('9') },
  ]
  const handler = isPerKey ? keyed(mappings) : keyed(adding('1'))
  const step = numbersIn.runInference('add', handler, { batch: { maxSize: 8 }, modelMetadata: true })
  const trial = await onTrial(topology('t', [step.to('out', sumsOut)]), { wrapExecutor, lanes })
  return { ...trial, troubles: troubles(executor!) }
}

describe('trials, whatever is published and fails meanwhile', () => {
  for (const [of, lanes, key] of [
    ['one model', 1, undefined],
    ['models per key', 2, KEYS[0]],
  ] as const) {
    it(`(${of}) each record comes out once, of the model that it names, and what is published counts in the end`, async () => {
      const property = fc.asyncProperty(fc.array(event, { maxLength: 25 }), async events => {
        const trial = await started(lanes, key !== undefined)
        const { driver, troubles } = trial
        let sent = 0
        let isOn = false
        for (const each of events) {
          const { kind } = each
          if (kind === 'trial') await trial.canary({ ...canary(each.modelId, each.percent), mode: each.mode }, key)
          else if (kind === 'publish') {
            await trial.change(state => published(state, named(each.modelId), 'me', new Date(0).toISOString()), key)
          } else if (kind === 'send') {
            sent += each.count
            await trial.send(KEYS.slice(0, each.count))
          } else if (kind === 'hang') troubles.hang()
          else if (kind === 'lose') troubles.lose(each.which)
          else if (kind === 'go on') troubles.end()
          else if (isOn) await trial[kind](key)
          if (['trial', 'publish', 'promote', 'abort'].includes(kind)) isOn = kind === 'trial'
          await driver.idle()
        }
        troubles.end()
        for (let i = 0; i < 3; i++) await driver.advance(30_000)
        await trial.canary(canary('5', 30), key)
        sent += KEYS.length
        const sums = await trial.pipe()
        assert.deepEqual(
          sums.map(({ x }) => x).toSorted((a, b) => a - b),
          Array.from({ length: sent }, (_, i) => i),
        )
        const { slots } = await readMetadata(driver.port, modelMetadataTopic('t'))
        const { stable, candidate } = slots.get(slotText('add', key))!.state
        const last = sums.filter(sum => sum.x >= sent - KEYS.length && (!key || KEYS.indexOf(sum.key) < 150))
        assertShare(last, candidate!, stable.modelId === '' ? '1' : stable.modelId)
        assert.deepEqual([driver.running.health().problems, driver.failures], [{}, []])
        assert.equal((await driver.port.admin.committed('t', 'in'))[0], sent)
        await driver.stop()
      })
      await fc.assert(property, { numRuns: Number(process.env.RUNS ?? 15) })
    })
  }
})
