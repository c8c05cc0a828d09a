import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import type { CheckReport } from '../../src/check/report.ts'
import { startKri } from '../support/kri-process.ts'

const folder = mkdtempSync(join(tmpdir(), 'kri-hanging-'))
after(() => rmSync(folder, { recursive: true }))
const example = join(folder, 'example.ndjson')
writeFileSync(example, '{"a":1}\n')

describe('kri check of a handler in a thread that does not return', { concurrency: true, timeout: 120_000 }, () => {
  for (const [hangs, what] of [
    ['load', 'hanging is not loaded after stuckMs (1000 ms)'],
    ['spin', 'hanging is not loaded after stuckMs (1000 ms)'],
    ['run', 'the example was not finished within 15 s'],
    ['block', 'the example was not finished within 15 s'],
  ] as const) {
    it(`(${hangs}) ends, with what was found`, async () => {
      const topology = ['test/support/hanging-topology.ts', `--param=hangs=${hangs}`]
      const kri = startKri(['check', ...topology, '--offline', '--json', '--example', example], {
        env: { ...process.env, ...(['load', 'spin'].includes(hangs) ? { KRI_STUCK_MS: '1000' } : {}) },
      })
      assert.equal(await kri.ended, 1, kri.log())
      const { ok, problems } = JSON.parse(kri.output()) as CheckReport
      assert.equal(ok, false)
      assert.ok(
        problems.some(problem => problem.what.includes(what)),
        kri.output(),
      )
      assert.ok(
        problems.some(({ code }) => code === 'LANE_STUCK'),
        kri.output(),
      )
    })
  }
})
