import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkModels } from '../../src/check/check-models.ts'
import { createFindings } from '../../src/check/report.ts'
import type { Lane } from '../../src/models/executor.ts'
import { createInThreadExecutor } from '../../src/models/in-thread-executor.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import digits from '../../topologies/digits.ts'

/** What `check` warns of when the lane says this of the model it loaded. */
async function warningsFor(change: object) {
  const inThread = createInThreadExecutor({ lanes: 1, maxBatchRows: 8 }, { logger: silentLogger, clock: systemClock })
  const [lane] = inThread.lanes
  const load: Lane['load'] = async spec => {
    const model = await lane!.load(spec)
    return { ...model, loaded: { ...model.loaded, ...change } }
  }
  const findings = createFindings()
  const parts = {
    executor: { ...inThread, lanes: [{ ...lane!, load }] },
    clock: systemClock,
    settings: { stuckMs: 60_000 },
  }
  await checkModels(digits, digits.steps, parts, findings)
  await inThread.close()
  assert.deepEqual(findings.problems, [])
  return findings.warnings.map(({ what }) => what)
}

test('a model that runs where it was asked to run is no warning', async () => {
  assert.deepEqual(await warningsFor({}), [])
})

test('a model of which cpu runs a part is a warning', async () => {
  const [what, ...others] = await warningsFor({ provider: 'webgpu', partlyOnCpu: true })
  assert.match(what!, /webgpu does not have all operators/)
  assert.deepEqual(others, [])
})
