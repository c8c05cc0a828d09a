import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type {
  CheckReport,
  ExampleReport,
  FoundProblem,
  ModelReport,
  SchemaReport,
  TopicReport,
} from '../../src/check/report.ts'
import { describeTopology } from '../../src/describe/description.ts'
import type { ParameterDescription } from '../../src/parameters.ts'
import { loadTopology } from '../../src/topology-module.ts'
import { root } from './source-files.ts'

const text = readFileSync(join(root, 'docs/check.md'), 'utf8')
const [ofCheck, ofDescribe] = text.split('## kri describe') as [string, string]

/** The compiler keeps these complete. */
const REPORT: Readonly<Record<keyof CheckReport, true>> = {
  ok: true,
  topology: true,
  parameters: true,
  offline: true,
  problems: true,
  warnings: true,
  models: true,
  topics: true,
  schemas: true,
  examples: true,
  seconds: true,
}
const PROBLEM: Readonly<Record<keyof FoundProblem, true>> = {
  area: true,
  code: true,
  where: true,
  what: true,
  expected: true,
  got: true,
  remedy: true,
}
const MODEL: Readonly<Record<keyof ModelReport, true>> = {
  steps: true,
  uri: true,
  ok: true,
  provider: true,
  refusedProviders: true,
  sizeBytes: true,
  sha256: true,
  loadMs: true,
}
const TOPIC: Readonly<Record<keyof TopicReport, true>> = { name: true, ok: true, partitions: true }
const SCHEMA: Readonly<Record<keyof SchemaReport, true>> = { subject: true, schema: true, ok: true, id: true }
const EXAMPLE: Readonly<Record<keyof ExampleReport | keyof NonNullable<ExampleReport['shown']>, true>> = {
  source: true,
  from: true,
  records: true,
  failed: true,
  shown: true,
  origin: true,
  key: true,
  value: true,
  produced: true,
}

test('docs/check.md names every field of the report of a check', () => {
  const names = [REPORT, PROBLEM, MODEL, TOPIC, SCHEMA, EXAMPLE].flatMap(fields => Object.keys(fields))
  assert.deepEqual(
    names.filter(name => !ofCheck.includes(`\`${name}\``)),
    [],
  )
})

const PARAMETER: Readonly<Record<keyof ParameterDescription, true>> = {
  name: true,
  type: true,
  default: true,
  help: true,
  value: true,
}

test('docs/check.md names every field of a description', async () => {
  const { nodes, topics, ...rest } = describeTopology(await loadTopology(join(root, 'test/describe/every-node.ts')))
  const models = nodes.flatMap(node => (node.kind === 'step' ? node.models : []))
  const names = [PARAMETER, rest, { nodes, topics }, ...nodes, ...models, ...topics].flatMap(fields =>
    Object.keys(fields),
  )
  assert.deepEqual(
    [...new Set(names)].filter(name => !ofDescribe.includes(`\`${name}\``)),
    [],
  )
})
