// docs/topologies.md is the reference of the API: nothing public is left out of the documents.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { SessionOptions } from '../../src/models/executor.ts'
import type { NamedTensors } from '../../src/models/onnx-handler.ts'
import { documents } from './documents.ts'
import { exportedNames } from './exported-names.ts'
import { root } from './source-files.ts'

const pages = documents().filter(({ path }) => path.startsWith('docs/'))

for (const file of ['src/index.ts', 'src/testing/index.ts']) {
  test(`docs/ mentions every name that ${file} exports`, () => {
    const text = codeOf(pages.map(page => page.text).join('\n'))
    const names = exportedNames(readFileSync(join(root, file), 'utf8'))
    assert.deepEqual(
      names.filter(name => !new RegExp(`\\b${name}\\b`).test(text)),
      [],
    )
  })
}

/** The compiler keeps it complete. */
const SETTINGS: Readonly<Record<keyof NamedTensors<never, never> | keyof SessionOptions, true>> = {
  model: true,
  inputs: true,
  outputs: true,
  providers: true,
  providerPolicy: true,
  isolation: true,
  timeoutMs: true,
  intraOpNumThreads: true,
  warmUpRows: true,
  modelCopies: true,
  envVars: true,
  sessionOptions: true,
  graphOptimizationLevel: true,
  enableCpuMemArena: true,
  enableMemPattern: true,
  executionMode: true,
  interOpNumThreads: true,
  config: true,
}

test('docs/topologies.md explains every setting of onnx', () => {
  const { text } = pages.find(({ path }) => path === 'docs/topologies.md')!
  const table = text.split('### Settings of `onnx`')[1]!.split('## Tensors')[0]!
  assert.deepEqual(
    Object.keys(SETTINGS).filter(name => !table.includes(`\`${name}\``)),
    [],
  )
})

/** What stands between backticks: words of prose like "text" and "from" are no mention. */
function codeOf(text: string): string {
  const prose = text.replaceAll(/^```.*?^```$/gms, '')
  return [...prose.matchAll(/`([^`]+)`/g)].map(([, code]) => code).join('\n')
}
