import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { from, json, topology } from 'kafka-run-inference'
import { reportAsText } from '../../src/check/report-text.ts'
import { checkOffline } from '../support/check-offline.ts'

test('an example of a file of which some records fail is not told as ok, though one that did not fail is shown', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kri-report-'))
  const exampleFile = join(folder, 'example.ndjson')
  writeFileSync(exampleFile, '1\n-2\n3\n')
  const graph = topology('t', [
    from('in', json<number>())
      .map(n => {
        if (n < 0) throw new RangeError('negative')
        return n
      })
      .to('out', json()),
  ])
  const checked = await checkOffline(graph, { exampleFile })
  rmSync(folder, { recursive: true })
  const about = { ok: false, topology: 't', parameters: [], offline: true, warnings: [], seconds: 1 }
  const text = reportAsText({ ...checked, ...about })
  assert.match(text, /^NO example: 3 records of the file, 1 of them failed$/m)
  assert.match(text, /^ {5}out {2}null {2}1$/m)
  assert.match(text, /^1 problem, 0 warnings/m)
})
