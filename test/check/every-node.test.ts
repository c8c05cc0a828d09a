// An example goes through branches, merges, parts and handlers of users as it would in `run`.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { loadTopology } from '../../src/topology-module.ts'
import { checkOffline } from '../support/check-offline.ts'
import type { Reading } from '../support/every-node-topology.ts'

const folder = mkdtempSync(join(tmpdir(), 'kri-every-node-'))
after(() => rmSync(folder, { recursive: true }))
const everyNode = await loadTopology('test/support/every-node-topology.ts')

async function checkWith(...readings: readonly Reading[]) {
  const exampleFile = join(folder, 'example.ndjson')
  writeFileSync(exampleFile, readings.map(reading => JSON.stringify(reading)).join('\n'))
  return await checkOffline(everyNode, { exampleFile })
}

test('an example becomes what all parts make of it', async () => {
  const { problems, models, examples } = await checkWith({ sensor: 'a', values: [4, 50, 500] })
  assert.deepEqual(problems, [])
  assert.deepEqual(
    models.map(({ steps, uri, ok }) => [steps, uri, ok]),
    [
      [['products'], 'times-2', true],
      [['products'], 'times-3', true],
    ],
  )
  assert.deepEqual(
    examples.map(({ source, records, failed }) => [source, records, failed]),
    [['readings', 1, 0]],
  )
  assert.deepEqual(examples[0]!.shown?.produced, [
    { topic: 'by-sensor', key: 'a', value: { sensor: 'a', values: [4] } },
    { topic: 'by-sensor', key: 'a', value: { sensor: 'a', values: [99] } },
    { topic: 'products', key: 'a', value: 8 },
    { topic: 'products', key: 'a', value: 198 },
  ])
})

test('a dead letter below another part is one of the example, with the line that threw', async () => {
  const { problems, examples } = await checkWith({ sensor: 'b', values: [-5] })
  assert.deepEqual(
    problems.map(({ area, code }) => [area, code]),
    [['example', 'POSTPROCESS_THREW']],
  )
  assert.match(problems[0]!.got!, /below zero, at test\/support\/every-node-topology\.ts:\d+$/)
  assert.equal(examples[0]!.failed, 1)
})
