/**
 * Finds what is wrong with a topology before it is deployed: all problems at once, made with the functions that `run` is
 * made of. No group is joined, and nothing is written anywhere but in memory.
 */
import { RunInferenceError } from '../errors.ts'
import type { ReadSchema, SchemaRegistryPort } from '../kafka/codec.ts'
import type { KafkaPort, TopicDescription } from '../kafka/port.ts'
import type { Settings } from '../load-settings.ts'
import type { Executor } from '../models/executor.ts'
import type { Machine } from '../models/machine.ts'
import { modelsOf } from '../models/model-handler.ts'
import type { Clock } from '../ops/clock.ts'
import type { Logger } from '../ops/logger.ts'
import type { ModelFiles } from '../refresh/slot-loader.ts'
import { modelProblems } from '../step-problems.ts'
import type { Topology } from '../topology.ts'
import { topologyProblems } from '../topology-problems.ts'
import { applyCommand } from './apply-command.ts'
import { type ExampleOutcome, runExample } from './check-example.ts'
import { checkModels } from './check-models.ts'
import { checkResources } from './check-resources.ts'
import { checkSchemas } from './check-schemas.ts'
import { checkTopics } from './check-topics.ts'
import { newestRecords, recordsOfFile } from './example-records.ts'
import { warnOfSideEffects, warnOfThinTopics } from './guarantee-warnings.ts'
import type { CheckReport, ExampleReport, Findings, TopicReport } from './report.ts'
import { warnOfSizes, warnOfSteps } from './step-warnings.ts'
import { within } from './within.ts'

/** A cluster that does not answer is tried by its client for longer than anybody wants to wait here. */
const BROKER_MS = 8_000

export interface CheckParts {
  /** Undefined: offline. */
  readonly port: KafkaPort | undefined
  /** Offline, one in memory that holds the project's own schemas. */
  readonly registry: SchemaRegistryPort | undefined
  readonly readSchema: ReadSchema
  readonly executor: Executor
  /** Needed where a step has `modelMetadata: true`; nothing is published in an example. */
  readonly modelFiles?: ModelFiles
  /** What resource hints are held against. */
  readonly machine: Machine
  readonly settings: Settings
  readonly clock: Clock
  readonly logger: Logger
  /** NDJSON; default: the newest records of each source. */
  readonly exampleFile?: string
  /** Which source the file is for; default: the first. */
  readonly exampleSource?: string
  /** The field of its objects that is the key. */
  readonly keyField?: string
  /** The module with its parameters, as commands take them, so that remedies can be pasted. */
  readonly moduleArguments?: string
}

export type Checked = Pick<CheckReport, 'models' | 'topics' | 'schemas' | 'examples'>

/** Everything behind loading the module. What is wrong is in `findings` afterwards; never rejects for it. */
export async function checkTopology(topology: Topology, parts: CheckParts, findings: Findings): Promise<Checked> {
  for (const problem of topologyProblems(topology)) findings.problem('topology', 'TOPOLOGY_INVALID', problem)
  const loadable = topology.steps.filter(step => modelProblems(step).length === 0)
  warnOfSteps(topology.steps, findings)
  warnOfSizes(loadable, parts.settings, findings)
  warnOfSideEffects(topology.steps, parts.settings, findings)
  checkResources(topology.steps, parts.machine, findings)
  const [models, schemas, { reports: topics, existing }] = await Promise.all([
    checkModels(topology, loadable, parts, findings),
    checkSchemas(topology, parts, findings),
    reachTopics(topology, parts, findings),
  ])
  warnOfThinTopics(topology, existing, parts.settings, findings)
  // Topics that are missing say nothing about what functions and models do with a record.
  const examples = findings.clean('topology', 'models', 'schemas')
    ? await checkExamples(topology, existing, parts, findings)
    : []
  return { models, schemas, topics, examples }
}

async function reachTopics(
  topology: Topology,
  { port, clock, settings, moduleArguments }: CheckParts,
  findings: Findings,
): Promise<{ readonly reports: readonly TopicReport[]; readonly existing: readonly TopicDescription[] }> {
  const nothing = { reports: [], existing: [] }
  if (port === undefined) return nothing
  try {
    return await within(
      clock,
      BROKER_MS,
      checkTopics(topology, port.admin, findings, applyCommand(moduleArguments)),
      () => new RunInferenceError('BROKER_UNAVAILABLE', `no broker has answered within ${BROKER_MS / 1000} s`),
    )
  } catch (error) {
    const remedy = 'Start the cluster, or correct --brokers and how it is secured; kri check --offline does without'
    findings.thrown('topics', error, `brokers ${settings.brokers.join(', ')}`, remedy)
    return nothing
  }
}

async function checkExamples(
  topology: Topology,
  existing: readonly TopicDescription[],
  parts: CheckParts,
  findings: Findings,
): Promise<ExampleReport[]> {
  const { exampleFile, exampleSource = topology.sources[0]!.topic } = parts
  const unnamed = topology.steps.find(({ handler }) => modelsOf(handler).some(({ uri }) => uri === ''))
  if (unnamed) {
    findings.warning('example', {
      where: `step "${unnamed.step}"`,
      what: 'its handler names no model, and what is published is not looked at: no example was run',
      remedy: 'Try a model before it is published: kri models publish --dry-run',
    })
    return []
  }
  const reports: ExampleReport[] = []
  // One after the other: the engine in memory takes all of the executor.
  for (const { topic, writtenBy } of topology.sources) {
    // What the topology writes itself comes of the examples of its other sources.
    if (writtenBy && topic !== exampleSource) continue
    const file = topic === exampleSource ? exampleFile : undefined
    try {
      reports.push(await checkExample(topology, topic, file, existing, parts, findings))
    } catch (error) {
      const remedy = 'Correct the example, or leave --example out'
      findings.thrown('example', error, `example of source "${topic}"`, remedy)
    }
  }
  return reports
}

async function checkExample(
  topology: Topology,
  topic: string,
  file: string | undefined,
  existing: readonly TopicDescription[],
  parts: CheckParts,
  findings: Findings,
): Promise<ExampleReport> {
  const source = topology.sources.find(node => node.topic === topic)!
  const exists = existing.some(({ name }) => name === topic)
  const records =
    file !== undefined
      ? await recordsOfFile(file, parts.keyField, source, parts)
      : parts.port !== undefined && exists
        ? await newestRecords(topic, parts.port)
        : []
  if (records.length === 0) return { source: topic, from: 'warm-up', records: 0, failed: 0, shown: null }
  const outcomes = await runExample(topology, topic, records, existing, parts)
  const failed = outcomes.filter(({ failures }) => failures.length > 0)
  for (const { first, node, letters, code, message, at, count } of groupedFailures(outcomes)) {
    const which = count === 1 ? '' : `${count} of ${records.length} records, first `
    const finding = {
      where: `${node}, with ${which}${records[first]!.origin}`,
      what: `${count === 1 ? 'the record becomes a dead letter' : 'the records become dead letters'} of ${letters}`,
      got: at === undefined ? message : `${message}, at ${at}`,
      remedy:
        file === undefined
          ? 'Correct the function, or whoever wrote the record'
          : 'Correct the function, or the example',
    }
    // What the user calls an example must pass; of what is in a topic, something must.
    if (file !== undefined || failed.length === outcomes.length)
      findings.problem('example', code as 'FUNCTION_THREW', finding)
    else findings.warning('example', finding)
  }
  const at = outcomes.findIndex(({ failures }) => failures.length === 0)
  const outcome = outcomes[at]
  return {
    source: topic,
    from: file === undefined ? 'topic' : 'file',
    records: records.length,
    failed: failed.length,
    shown: outcome
      ? { origin: records[at]!.origin, key: outcome.key, value: outcome.value, produced: outcome.produced }
      : null,
  }
}

interface FailureGroup {
  /** Of the records that failed so, the first. */
  readonly first: number
  readonly node: string
  readonly letters: string
  readonly code: string
  /** That of the first. */
  readonly message: string
  readonly at: string | undefined
  count: number
}

/** Records that fail alike are one problem: messages may differ in the numbers and texts that they quote. */
function groupedFailures(outcomes: readonly ExampleOutcome[]): Iterable<FailureGroup> {
  const groups = new Map<string, FailureGroup>()
  for (const [first, { failures }] of outcomes.entries()) {
    for (const { topic: letters, node, code, message, at } of failures) {
      const alike = message.replace(/"[^"]*"|-?\d+(\.\d+)?/g, '#')
      const id = [letters, node, code, alike].join('\n')
      const group = groups.get(id)
      if (group === undefined) groups.set(id, { first, node, letters, code, message, at, count: 1 })
      else group.count++
    }
  }
  return groups.values()
}
