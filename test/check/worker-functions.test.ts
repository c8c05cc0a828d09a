import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadTopology } from '../../src/topology-module.ts'
import { checkOffline } from '../support/check-offline.ts'

test('an example goes through the real worker: results in order, a loop is ended, its neighbours are unharmed', async () => {
  const topology = await loadTopology('test/support/worker-functions-topology.ts', { name: 'tasks', timeoutMs: '300' })
  const exampleFile = join(mkdtempSync(join(tmpdir(), 'kri-worker-')), 'tasks.ndjson')
  const tasks = ['', 'spin', 'sleep', 'exit', 'reject', '']
  writeFileSync(exampleFile, tasks.map((task, i) => `${JSON.stringify({ id: `k${i}`, do: task })}\n`).join(''))
  const { examples, problems } = await checkOffline(topology, { exampleFile, keyField: 'id' })
  assert.deepEqual(
    problems.filter(({ area }) => area !== 'example'),
    [],
  )
  const [example] = examples
  assert.deepEqual([example!.records, example!.failed], [6, 3])
  const failed = JSON.stringify(problems)
  for (const code of ['FUNCTION_TIMEOUT', 'FUNCTION_LOST', 'FUNCTION_THREW']) assert.match(failed, new RegExp(code))
  const [output] = example!.shown!.produced
  assert.deepEqual((output!.value as { modelId: string }).modelId, 'models/digits-mlp-v1.onnx')
})
