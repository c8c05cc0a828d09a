import type { BatchOptions, GraphNode, SinkNode, StepNode } from './graph.ts'
import { deadLetterTopics, isTopicName, replayTopic } from './kafka/topic-names.ts'
import { elementsOf, type TensorSpec } from './models/tensors.ts'
import type { Topology } from './topology.ts'

/** What topic names may be made of. */
const NAME = /^[a-zA-Z0-9._-]{1,200}$/
/** Rows in flight are capped here by default (I5), so no batch can be larger. */
const ROW_CAP = 32_768

/** Everything that is wrong with a graph, in plain sentences; empty when it can run. */
export function topologyProblems(topology: Topology): string[] {
  return [
    ...nameProblems(topology),
    ...sourceProblems(topology),
    ...topology.steps.flatMap(step => stepProblems(step)),
    ...sinkProblems(topology),
    ...internalTopicProblems(topology),
  ]
}

function nameProblems({ name, applicationId, sinks, steps }: Topology): string[] {
  const problems: string[] = []
  if (!NAME.test(name))
    problems.push(`the topology's name "${name}" is not made of 1 to 200 letters, digits, ".", "_" and "-"`)
  if (applicationId !== name && !NAME.test(applicationId))
    problems.push(`applicationId "${applicationId}" is not made of letters, digits, ".", "_" and "-"`)
  if (sinks.length === 0) problems.push('it has no sinks: pass at least one stream.to(topic, …)')
  for (const step of duplicates(steps.map(step => step.step)))
    problems.push(`two steps are named "${step}"; names must differ`)
  return problems
}

function sourceProblems({ sources, sinks }: Topology): string[] {
  const problems = duplicates(sources.map(source => source.topic)).map(
    topic => `topic "${topic}" is read by two from(); use one stream twice instead`,
  )
  for (const source of sources) {
    if (!isTopicName(source.topic)) problems.push(`source topic "${source.topic}" is not a valid topic name`)
    if (sinks.some(sink => sink.topic === source.topic)) {
      problems.push(`topic "${source.topic}" is both read and written: records would go round for ever`)
    }
    const tombstones = source.options.tombstones ?? 'dead-letter'
    if (!['dead-letter', 'forward', 'drop'].includes(tombstones)) {
      problems.push(`source "${source.topic}": tombstones must be dead-letter, forward or drop, got "${tombstones}"`)
    }
  }
  return problems
}

function stepProblems(step: StepNode): string[] {
  const at = `step "${step.step}"`
  const problems: string[] = []
  if (!NAME.test(step.step)) problems.push(`${at}: the name is not made of letters, digits, ".", "_" and "-"`)
  const { model, keyed, preprocess } = step.handler
  if (model.uri === '') problems.push(`${at}: the handler names no model file`)
  if (model.providers.length === 0) problems.push(`${at}: providers is empty; ['cpu'] is the least`)
  if (!Number.isInteger(model.intraOpNumThreads) || model.intraOpNumThreads < 1) {
    problems.push(`${at}: intraOpNumThreads must be a whole number from 1, got ${model.intraOpNumThreads}`)
  }
  for (const [name, spec] of Object.entries(model.inputs))
    problems.push(...specProblems(`${at}, input "${name}"`, spec))
  for (const [name, spec] of Object.entries(model.outputs))
    problems.push(...specProblems(`${at}, output "${name}"`, spec))
  if (keyed && preprocess.length === 0 && unkeyedSource(step)) {
    problems.push(`${at}: the handler is keyed, but its source has no key codec: from(topic, { key, value })`)
  }
  return [...problems, ...batchProblems(at, step.options.batch ?? {})]
}

/** The bare source above this node, when nothing in between could have made a key. */
function unkeyedSource(step: StepNode): boolean {
  return step.input.kind === 'source' && step.input.key === undefined
}

function specProblems(at: string, spec: TensorSpec): string[] {
  const open = spec.shape.filter(size => size === null).length
  if (spec.shape.some(size => size !== null && (!Number.isInteger(size) || size < 1))) {
    return [`${at}: dimensions must be whole numbers from 1, or null for any, got [${spec.shape.join(', ')}]`]
  }
  if (elementsOf(spec.shape) === undefined && open > 1)
    return [`${at}: at most one dimension may be open (null), got ${open}`]
  return []
}

function batchProblems(at: string, { mode = 'stream', minSize, maxSize = 256, maxWaitMs = 0 }: BatchOptions): string[] {
  const problems: string[] = []
  if (mode !== 'stream' && mode !== 'bundle') problems.push(`${at}: batch.mode must be stream or bundle, got "${mode}"`)
  if (!Number.isInteger(maxSize) || maxSize < 1 || maxSize > ROW_CAP) {
    problems.push(
      `${at}: batch.maxSize must be a whole number from 1 to ${ROW_CAP} (the cap of rows in flight), got ${maxSize}`,
    )
  }
  if (minSize !== undefined && (!Number.isInteger(minSize) || minSize < 1 || minSize > maxSize)) {
    problems.push(`${at}: batch.minSize must be a whole number from 1 to maxSize (${maxSize}), got ${minSize}`)
  }
  if (!(maxWaitMs >= 0 && Number.isFinite(maxWaitMs)))
    problems.push(`${at}: batch.maxWaitMs must be 0 or more, got ${maxWaitMs}`)
  if (minSize !== undefined && minSize > 1 && maxWaitMs === 0) {
    problems.push(`${at}: batch.minSize above 1 needs maxWaitMs, or a quiet topic would wait for ever`)
  }
  if (mode === 'bundle' && (minSize !== undefined || maxWaitMs > 0)) {
    problems.push(`${at}: batch.mode bundle batches what one fetch brought; minSize and maxWaitMs do not apply`)
  }
  return problems
}

/** Dead-letter and replay topics: their names are made of ours, and nothing else may read or write them. */
function internalTopicProblems({ name, applicationId, sources, sinks, steps }: Topology): string[] {
  const problems: string[] = []
  const deadLetters = deadLetterTopics(
    name,
    steps.map(({ step }) => step),
  )
  const replays = sources.map(({ topic }) => replayTopic(applicationId, topic))
  const tooLong = [...deadLetters, ...replays].find(topic => topic.length > 249 && !isTopicName(topic))
  if (tooLong)
    problems.push(`internal topic "${tooLong}" has more than 249 characters: shorten the names that it is made of`)
  for (const sink of sinks) {
    if (deadLetters.includes(sink.topic))
      problems.push(`output topic "${sink.topic}" is a dead-letter topic of this topology`)
    if (replays.includes(sink.topic))
      problems.push(`output topic "${sink.topic}" is a replay topic of this application`)
  }
  for (const source of sources) {
    if (deadLetters.includes(source.topic))
      problems.push(
        `source topic "${source.topic}" is a dead-letter topic of this topology: records would go round for ever`,
      )
    if (replays.includes(source.topic))
      problems.push(`source topic "${source.topic}" is a replay topic of this application, which it reads anyway`)
  }
  return problems
}

function sinkProblems({ sinks }: Topology): string[] {
  const problems: string[] = []
  for (const sink of sinks) {
    if (!isTopicName(sink.topic)) problems.push(`output topic "${sink.topic}" is not a valid topic name`)
    const { partition } = sink.options
    if (partition !== undefined && partition !== 'source' && partition !== 'key') {
      problems.push(`output topic "${sink.topic}": partition must be source or key, got "${partition}"`)
    }
    if (sink.value.inferenceOf && !comesFromStep(sink)) {
      problems.push(`output topic "${sink.topic}": ${sink.value.label} writes predictions, but no step is above it`)
    }
  }
  return problems
}

function comesFromStep(sink: SinkNode): boolean {
  for (let node: GraphNode = sink.input; node.kind !== 'source'; node = node.input)
    if (node.kind === 'runInference') return true
  return false
}

function duplicates(names: readonly string[]): string[] {
  return [...new Set(names.filter((name, i) => names.indexOf(name) !== i))]
}
