import { codecProblems, isCodec } from './codec-problems.ts'
import { type SinkNode, type SourceNode, stepsAbove } from './graph.ts'
import { modelTopics, shadowTopics } from './kafka/model-topics.ts'
import { operatorTopics } from './kafka/operator-topics.ts'
import { deadLetterTopics, isTopicName, replayTopic } from './kafka/topic-names.ts'
import { keyOrigins } from './key-origin.ts'
import { nodeProblems } from './node-problems.ts'
import { badValue, type Problem, unknownNames } from './problem.ts'
import { sharingProblems } from './sharing-problems.ts'
import { stepProblems } from './step-problems.ts'
import type { Topology } from './topology.ts'

/** What topic names may be made of. */
const NAME = /^[a-zA-Z0-9._-]{1,200}$/
const NAME_RULE = '1 to 200 letters, digits, ".", "_" and "-"'
const TOPIC_RULE = 'a topic name of 1 to 249 letters, digits, ".", "_" and "-"'

/** Everything that is wrong with a graph; empty when it can run. */
export function topologyProblems(topology: Topology): Problem[] {
  return [
    ...nameProblems(topology),
    ...topology.sources.flatMap(source => sourceProblems(source, topology)),
    ...nodeProblems(topology),
    ...topology.steps.flatMap(step => stepProblems(step)),
    ...sharingProblems(topology),
    ...topology.sinks.flatMap(sinkProblems),
    ...internalTopicProblems(topology),
  ]
}

function nameProblems({ name, applicationId, sinks, sources, steps }: Topology): Problem[] {
  const problems: Problem[] = []
  const where = `topology "${name}"`
  if (!NAME.test(name)) problems.push(badValue(where, 'the name', NAME_RULE, name))
  if (applicationId !== name && !NAME.test(applicationId))
    problems.push(badValue(where, 'applicationId', NAME_RULE, applicationId))
  if (sinks.length === 0)
    problems.push({ where, what: 'it has no sinks', remedy: 'Pass at least one stream.to(topic, …) to topology()' })
  for (const { step } of steps)
    if (!NAME.test(step)) problems.push(badValue(`step "${step}"`, 'the name', NAME_RULE, step))
  for (const step of duplicates(steps.map(({ step }) => step))) {
    problems.push({
      where: `step "${step}"`,
      what: 'two steps have this name, and their dead letters would share topics',
      remedy: 'Give each runInference() a name of its own, or use one stream twice',
    })
  }
  for (const topic of duplicates(sources.map(({ topic }) => topic))) {
    const isBetween = sources.some(source => source.topic === topic && source.writtenBy)
    problems.push({
      where: `source "${topic}"`,
      what: isBetween
        ? 'the topic of a through() or repartition() is read elsewhere too'
        : 'the topic is read by two from()',
      remedy: 'Keep the one stream that reads it and use it twice',
    })
  }
  return problems
}

function sourceProblems(source: SourceNode, { sinks }: Topology): Problem[] {
  const { topic, options, key, value, writtenBy } = source
  const where = `source "${topic}"`
  const problems = unknownNames(where, 'option', options, ['tombstones'])
  // What its output has been told of a codec or a name is not said twice.
  const isNew = (codec: unknown) => writtenBy === undefined || isCodec(codec, 'openEncoder')
  if (key !== undefined && isNew(key)) problems.push(...codecProblems(where, 'key', key, 'openDecoder'))
  if (isNew(value)) problems.push(...codecProblems(where, 'value', value, 'openDecoder'))
  if (!isTopicName(topic) && writtenBy === undefined) problems.push(badValue(where, 'the topic', TOPIC_RULE, topic))
  if (sinks.some(sink => sink.topic === topic && sink !== writtenBy)) {
    problems.push(
      writtenBy === undefined
        ? circle(where, 'an output topic of this topology')
        : {
            where,
            what: 'the topic of a through() or repartition() is written by another output too',
            remedy: 'Write to another topic, or merge the streams before it',
          },
    )
  }
  const { tombstones = 'dead-letter' } = options
  if (!['dead-letter', 'forward', 'drop'].includes(tombstones))
    problems.push(badValue(where, 'tombstones', 'dead-letter, forward or drop', tombstones))
  return problems
}

function sinkProblems(sink: SinkNode): Problem[] {
  const where = `output "${sink.topic}"`
  const problems = unknownNames(where, 'option', sink.options, ['partition'])
  if (sink.key !== undefined) problems.push(...codecProblems(where, 'key', sink.key, 'openEncoder'))
  problems.push(...codecProblems(where, 'value', sink.value, 'openEncoder'))
  if (!isTopicName(sink.topic)) problems.push(badValue(where, 'the topic', TOPIC_RULE, sink.topic))
  const { partition } = sink.options
  if (partition !== undefined && partition !== 'source' && partition !== 'key')
    problems.push(badValue(where, 'partition', 'source or key', partition))
  if (sink.key !== undefined && !sink.newKey && keyOrigins(sink.input).has('derived')) {
    problems.push({
      where,
      what: 'it checks the key of its elements, which a keyBy() has set, and records keep the key that they came with',
      remedy: `Write under a new key with repartition(…) instead of keyBy, or leave the key out: to("${sink.topic}", value)`,
    })
  }
  if (sink.value?.inferenceOf && stepsAbove(sink.input).has(undefined)) {
    problems.push({
      where,
      what: `${sink.value.label} writes predictions, but no step is above it`,
      remedy: 'Put runInference() before to(), or write with another codec',
    })
  }
  return problems
}

/** Dead-letter, replay, model and operators' topics: their names are made of ours, and nothing else may read or write them. */
function internalTopicProblems({ name, applicationId, sources, sinks, steps }: Topology): Problem[] {
  const problems: Problem[] = []
  const deadLetters = deadLetterTopics(
    name,
    steps.map(({ step }) => step),
  )
  const replays = sources.map(({ topic }) => replayTopic(applicationId, topic))
  const models = [...modelTopics({ applicationId, steps }), ...shadowTopics({ name, steps })]
  const ofReplays = operatorTopics({ name, applicationId })
  const tooLong = [...deadLetters, ...replays, ...models, ...ofReplays].find(topic => topic.length > 249)
  if (tooLong !== undefined) {
    problems.push({
      where: `internal topic "${tooLong}"`,
      what: 'the name is too long',
      expected: 'at most 249 characters',
      got: String(tooLong.length),
      remedy: 'Shorten the names that it is made of',
    })
  }
  const remedy = 'Use a topic of another name'
  for (const { topic } of sinks) {
    const where = `output "${topic}"`
    if (deadLetters.includes(topic))
      problems.push({ where, what: 'it is a dead-letter topic of this topology', remedy })
    if (replays.includes(topic)) problems.push({ where, what: 'it is a replay topic of this application', remedy })
    if (models.includes(topic)) problems.push({ where, what: OF_MODELS, remedy })
    if (ofReplays.includes(topic)) problems.push({ where, what: OF_REPLAYS, remedy })
  }
  for (const { topic } of sources.filter(({ writtenBy }) => writtenBy === undefined)) {
    const where = `source "${topic}"`
    if (deadLetters.includes(topic)) problems.push(circle(where, 'a dead-letter topic of this topology'))
    if (models.includes(topic)) problems.push({ where, what: OF_MODELS, remedy })
    if (ofReplays.includes(topic)) problems.push({ where, what: OF_REPLAYS, remedy })
    if (replays.includes(topic)) {
      problems.push({
        where,
        what: 'it is a replay topic of this application, which is read anyway',
        remedy: 'Leave this from() out',
      })
    }
  }
  return problems
}

const OF_MODELS = 'it is a topic about the models of this application, which it reads and writes itself'
const OF_REPLAYS = 'it is a topic that replays of dead letters write, for operators alone'

function circle(where: string, written: string): Problem {
  return {
    where,
    what: `the topic is read, and is ${written} too: records would go round for ever`,
    remedy: 'Read or write another topic',
  }
}

function duplicates(names: readonly string[]): string[] {
  return [...new Set(names.filter((name, i) => names.indexOf(name) !== i))]
}
