// What `check` says of exactly-once: what it does not cover.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { from, json, modelHandler, topology } from 'kafka-run-inference'
import { warnOfSideEffects, warnOfThinTopics } from '../../src/check/guarantee-warnings.ts'
import { createFindings } from '../../src/check/report.ts'
import type { TopicDescription } from '../../src/kafka/port.ts'
import { problemText } from '../../src/problem.ts'

const echo = modelHandler({
  name: 'echo',
  loadModel: () => undefined,
  runInference: (batch: readonly number[]) => batch,
})
async function lookUp(value: number): Promise<number> {
  return value
}
const graph = topology('t', [
  from('in', json<number>())
    .runInference('plain', echo)
    .map(() => 1)
    .runInference('asks', echo.withPreprocess(lookUp, { concurrency: 4 }))
    .to('out', json<number>()),
])

const EXACTLY_ONCE = { processingGuarantee: 'exactly_once' } as const
const AT_LEAST_ONCE = { processingGuarantee: 'at_least_once' } as const

const topicNamed = (name: string, replicationFactor: number, minIsr: string): TopicDescription => {
  return { name, partitions: 1, replicationFactor, configs: { 'min.insync.replicas': minIsr } }
}

test('asynchronous functions, which may be called again, are told with their step; nothing is under at_least_once', () => {
  for (const [settings, expected] of [
    [EXACTLY_ONCE, [/step "asks": exactly_once covers what is in Kafka.*asynchronous functions: lookUp/]],
    [AT_LEAST_ONCE, []],
  ] as const) {
    const findings = createFindings()
    warnOfSideEffects(graph.steps, settings, findings)
    assert.equal(findings.warnings.length, expected.length)
    for (const [i, wanted] of expected.entries()) assert.match(problemText(findings.warnings[i]!), wanted)
  }
})

test('topics that are written and have replicas, one of which may acknowledge alone, are told; sources and single ones are not', () => {
  const existing = [
    topicNamed('in', 3, '1'),
    topicNamed('out', 3, '1'),
    topicNamed('t.plain.failed-inference', 2, '1'),
    topicNamed('t.asks.failed-inference', 3, '2'),
    topicNamed('t.asks.failed-preprocess', 1, '1'),
  ]
  const findings = createFindings()
  warnOfThinTopics(graph, existing, AT_LEAST_ONCE, findings)
  assert.deepEqual(findings.warnings, [])
  warnOfThinTopics(graph, existing, EXACTLY_ONCE, findings)
  assert.deepEqual(
    findings.warnings.map(({ where }) => where),
    ['topic "out", topic "t.plain.failed-inference"'],
  )
})
