import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { RunInferenceError } from '../../src/errors.ts'
import { Split } from '../../src/refresh/split.ts'
import { onTrial } from '../support/canaries.ts'
import {
  clipped,
  clippingTopology,
  pairRecord,
  readShadows,
  SHADOW_TOPIC,
  shadow,
  shadowCounts,
  troubledSpares,
  writeClipping,
} from '../support/shadows.ts'

const folder = mkdtempSync(join(tmpdir(), 'shadows-property-'))
after(() => rmSync(folder, { recursive: true }))
const low = writeClipping(folder, 0)
const leasts = [50, 150] as const
const paths = leasts.map(least => writeClipping(folder, least))

const act = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('pipe' as const), rows: fc.integer({ min: 1, max: 40 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('begin' as const),
      model: fc.nat(1),
      percent: fc.constantFrom(100, 30),
    }),
  },
  fc.constantFrom(
    ...(['end', 'hang', 'go on', 'lose', 'refuse rows', 'recover', 'refuse records', 'take records'] as const).map(
      what => ({ do: what }),
    ),
  ),
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 200, 5_000) }) },
)

test('H1, H2: for any course of a shadow each chosen row is compared, failed or dropped, once; what is written is right; outputs and commits know nothing of it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(act, { minLength: 5, maxLength: 30 }), fc.constantFrom(3, 256), async (acts, maxSize) => {
      const spares = troubledSpares()
      const { counts, metrics } = shadowCounts()
      const trial = await onTrial(clippingTopology(low, maxSize), { metrics, wrapExecutor: spares.wrapExecutor })
      const { driver } = trial
      const goOn: (() => void)[] = []
      const accept: (() => void)[] = []
      let split: Pick<Split, 'hasKey'> | undefined
      let [sent, offered] = [0, 0]
      for (const next of acts) {
        if (next.do === 'pipe') {
          const numbers = Array.from({ length: next.rows }, (_, i) => sent + i)
          await driver.pipe(
            'in',
            numbers.map(n => pairRecord([n, 2 * n], n % 3 === 0 ? null : `key ${n}`)),
          )
          for (const n of numbers) {
            const name = Buffer.from(n % 3 === 0 ? `in/0/${n}` : `key ${n}`)
            if (split?.hasKey(name, 0, name.length)) offered++
          }
          sent += next.rows
          await driver.advance(100)
          assert.equal((await driver.port.admin.committed('t', 'in'))[0], sent, 'nothing waits for the shadow')
        } else if (next.do === 'begin') {
          const candidate = shadow(paths[next.model]!, next.percent)
          await trial.canary(candidate)
          split = next.percent === 100 ? { hasKey: () => true } : new Split(candidate)
        } else if (next.do === 'end') {
          if (split) await trial.abort()
          split = undefined
        } else if (next.do === 'hang') goOn.push(spares.hang())
        else if (next.do === 'go on') for (const release of goOn.splice(0)) release()
        else if (next.do === 'lose') spares.fail(new RunInferenceError('LANE_LOST', 'asked for'))
        else if (next.do === 'refuse rows') spares.fail(new RunInferenceError('INFERENCE_FAILED', 'asked for'))
        else if (next.do === 'recover') spares.fail(undefined)
        else if (next.do === 'refuse records')
          accept.push(driver.broker.refuse(({ topic }) => topic === SHADOW_TOPIC, 'INVALID_RECORD'))
        else if (next.do === 'take records') for (const take of accept.splice(0)) take()
        else if (next.do === 'wait') await driver.advance(next.ms)
      }
      for (const release of goOn.splice(0)) release()
      if (split) await trial.abort()
      await driver.advance(10_000)
      const { rows, dropped } = counts
      const { same, different, failed, unwritten } = rows
      const lost = Object.values(dropped).reduce((sum, count) => sum + count, 0)
      assert.equal(same + different + failed + lost, offered, 'H2')
      const records = await readShadows(driver)
      assert.equal(records.length, same + different + failed - unwritten)
      for (const { key, source, stable, candidate, differs } of records) {
        const n = source.offset
        assert.equal(key === null ? null : String(key), n % 3 === 0 ? null : `key ${n}`)
        assert.deepEqual(stable, { modelId: low, inference: clipped(0, [n, 2 * n]) })
        const least = leasts[paths.indexOf(candidate.modelId)]!
        if (candidate.error === undefined) {
          assert.deepEqual(candidate.inference, clipped(least, [n, 2 * n]))
          assert.equal(differs, n < least)
        } else assert.ok(differs)
      }
      const outputs = await driver.read('out')
      assert.deepEqual(
        outputs.map(({ value }) => value),
        outputs.map((_, n) => clipped(0, [n, 2 * n])),
      )
      assert.deepEqual([outputs.length, driver.failures.length], [sent, 0])
      assert.deepEqual(driver.running.health().problems, {})
      await driver.stop()
    }),
    { numRuns: 25 },
  )
})
