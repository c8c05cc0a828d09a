/**
 * The topics that a topology needs, compared with those that exist. Planning is pure; `kri topics plan` shows what it says,
 * `kri topics apply` does it, and `kri run` refuses to start while anything is left to do.
 */
import { RunInferenceError } from '../errors.ts'
import { modelTopicConfigs, modelTopicProblem, modelTopics, shadowTopics } from './model-topics.ts'
import { AUDIT_LOG, operatorTopics } from './operator-topics.ts'
import type { KafkaAdmin, NewTopic, TopicDescription } from './port.ts'
import { auditTopic, deadLetterTopics, isTopicName, parkedTopic, replayTopic } from './topic-names.ts'

/** What this module reads of a topology. */
export interface TopologyTopics {
  readonly name: string
  readonly applicationId: string
  /** `writtenBy`: the topology writes it itself. */
  readonly sources: readonly { readonly topic: string; readonly writtenBy?: unknown }[]
  readonly sinks: readonly { readonly topic: string; readonly options: { readonly partition?: 'source' | 'key' } }[]
  readonly steps: readonly { readonly step: string; readonly options?: { readonly modelMetadata?: boolean } }[]
  /** Of a part that runs alone: its dead letters go to topics of the whole. */
  readonly whole?: Pick<TopologyTopics, 'steps'>
}

/** For topics that do not exist yet. */
export interface TopicDefaults {
  /** Of source topics; the others follow their sources. */
  readonly partitions: number
  readonly replicationFactor: number
  readonly minIsr: number
  readonly brokerCount: number
}

export interface TopicChange {
  readonly topic: string
  readonly configs: Readonly<Record<string, string>>
  readonly reasons: readonly string[]
}

export interface TopicPlan {
  readonly create: readonly NewTopic[]
  readonly change: readonly TopicChange[]
  /** What no command can put right by itself: one sentence each, with the remedy. */
  readonly refuse: readonly string[]
}

/** Kafka's own default of max.message.bytes. */
export const DEFAULT_MAX_MESSAGE_BYTES = 1_048_588
/** A dead letter is the source record with our headers, so its topic takes this much more. */
export const DEAD_LETTER_HEADROOM_BYTES = 64 * 1024

/** Every topic that the topology reads or writes. */
export function topicNames(topology: TopologyTopics): readonly string[] {
  const sources = topology.sources.map(source => source.topic)
  return [...new Set([...sources, ...topology.sinks.map(sink => sink.topic), ...internalNames(topology)])]
}

function internalNames({ applicationId, sources, ...topology }: TopologyTopics): readonly string[] {
  const replays = sources.map(({ topic }) => replayTopic(applicationId, topic))
  const models = [...modelTopics({ ...topology, applicationId }), ...shadowTopics(topology)]
  return [...deadLettersOf(topology), ...replays, ...models, ...operatorTopics({ ...topology, applicationId })]
}

/** Of these, what an instance runs without. */
export function optionalTopics(topology: Pick<TopologyTopics, 'name' | 'applicationId' | 'steps'>): readonly string[] {
  return [...shadowTopics(topology), ...operatorTopics(topology)]
}

function deadLettersOf(topology: Pick<TopologyTopics, 'name' | 'steps' | 'whole'>): readonly string[] {
  const { steps } = topology.whole ?? topology
  return deadLetterTopics(
    topology.name,
    steps.map(({ step }) => step),
  )
}

/** Compares what the topology needs with the topics that exist (of those in `topicNames`). */
export function planTopics(
  topology: TopologyTopics,
  existing: readonly TopicDescription[],
  defaults: TopicDefaults,
): TopicPlan {
  const found = new Map(existing.map(topic => [topic.name, topic]))
  const plan = { create: [] as NewTopic[], change: [] as TopicChange[], refuse: [] as string[] }
  const sources = topology.sources.map(source => source.topic)
  const between = topology.sources.filter(({ writtenBy }) => writtenBy !== undefined).map(({ topic }) => topic)
  const outside = sources.filter(topic => !between.includes(topic))
  const widest = Math.max(1, ...outside.map(topic => found.get(topic)?.partitions ?? defaults.partitions))
  const partitionsOf = (topic: string) =>
    found.get(topic)?.partitions ?? (between.includes(topic) ? widest : defaults.partitions)
  const outsideBytes = Math.max(0, ...outside.map(topic => maxMessageBytes(found.get(topic))))
  // As it is made or changed to: what is planned twice says nothing the second time.
  const maxBytesOf = (topic: string): number => {
    if (!between.includes(topic)) return maxMessageBytes(found.get(topic))
    const own = found.has(topic) ? maxMessageBytes(found.get(topic)) : 0
    return Math.max(own, outsideBytes + DEAD_LETTER_HEADROOM_BYTES)
  }
  const maxBytes = Math.max(0, ...sources.map(maxBytesOf))

  const need = (name: string, partitions: number, configs: Record<string, string>) => {
    if (found.has(name) || plan.create.some(topic => topic.name === name)) return
    if (!isTopicName(name)) {
      plan.refuse.push(`"${name}" is not a name that Kafka accepts (letters, digits, . _ -, at most 249): rename it`)
      return
    }
    const withIsr = { 'min.insync.replicas': String(defaults.minIsr), ...configs }
    plan.create.push({ name, partitions, replicationFactor: defaults.replicationFactor, configs: withIsr })
  }

  for (const topic of outside) need(topic, defaults.partitions, {})
  for (const topic of between) {
    const wanted = betweenConfigs(
      outsideBytes,
      outside.map(source => found.get(source)),
    )
    need(topic, widest, wanted)
    compare(found.get(topic), wanted, plan.change, WHY_BETWEEN)
  }
  for (const { topic, options } of topology.sinks) {
    need(topic, widest, {})
    const partitions = found.get(topic)?.partitions
    if (options.partition === 'source' && partitions !== undefined && partitions < widest) {
      plan.refuse.push(
        `${topic} has ${partitions} partitions, and "partition: source" needs as many as its source has (${widest}): ` +
          'add partitions, or choose "partition: key"',
      )
    }
  }

  for (const topic of [...deadLettersOf(topology), ...shadowTopics(topology), parkedTopic(topology.name)]) {
    const wanted = internalConfigs(maxBytes)
    need(topic, widest, wanted)
    compare(found.get(topic), wanted, plan.change, WHY_INTERNAL)
  }
  for (const source of sources) {
    const topic = replayTopic(topology.applicationId, source)
    const wanted = internalConfigs(maxBytesOf(source))
    need(topic, partitionsOf(source), wanted)
    compare(found.get(topic), wanted, plan.change, WHY_INTERNAL)
    const partitions = found.get(topic)?.partitions
    if (partitions !== undefined && partitions !== partitionsOf(source)) {
      plan.refuse.push(
        `${topic} has ${partitions} partitions and its source ${source} ${partitionsOf(source)}: they must be equal; ` +
          'drain the replay topic and delete it, it is created again',
      )
    }
  }
  for (const [topic, wanted] of modelTopicConfigs(topology)) {
    need(topic, 1, wanted)
    compare(found.get(topic), wanted, plan.change, WHY_ONE_LOG)
    plan.refuse.push(...modelTopicProblem(found.get(topic)))
  }
  const audit = auditTopic(topology.applicationId)
  need(audit, 1, AUDIT_LOG)
  compare(found.get(audit), AUDIT_LOG, plan.change, WHY_AUDIT)
  refuseDefaults(plan.create, defaults, plan.refuse)
  return plan
}

/**
 * Old records keep their own timestamps, and would be deleted at once by retention under CreateTime; compaction would
 * delete dead letters that have the same key.
 */
function internalConfigs(sourceMaxBytes: number): Record<string, string> {
  return {
    'cleanup.policy': 'delete',
    'message.timestamp.type': 'LogAppendTime',
    'max.message.bytes': String(sourceMaxBytes + DEAD_LETTER_HEADROOM_BYTES),
  }
}

/** Records between parts carry the time of their source, so that time goes on through them, and are kept as long as these. */
function betweenConfigs(
  sourceMaxBytes: number,
  sources: readonly (TopicDescription | undefined)[],
): Record<string, string> {
  const retentions = sources.flatMap(source => source?.configs['retention.ms'] ?? [])
  const longest = retentions.toSorted((a, b) => lengthOf(a) - lengthOf(b)).at(-1)
  return {
    'cleanup.policy': 'delete',
    'message.timestamp.type': 'CreateTime',
    'max.message.bytes': String(sourceMaxBytes + DEAD_LETTER_HEADROOM_BYTES),
    ...(longest === undefined ? {} : { 'retention.ms': longest }),
  }
}

/** −1 is for ever. */
function lengthOf(retentionMs: string): number {
  return Number(retentionMs) < 0 ? Number.POSITIVE_INFINITY : Number(retentionMs)
}

function maxMessageBytes(topic: TopicDescription | undefined): number {
  return Number(topic?.configs['max.message.bytes'] ?? DEFAULT_MAX_MESSAGE_BYTES)
}

function compare(
  topic: TopicDescription | undefined,
  wanted: Record<string, string>,
  changes: TopicChange[],
  why: Readonly<Record<string, string>>,
): void {
  if (topic === undefined) return
  const configs: Record<string, string> = {}
  const reasons: string[] = []
  for (const [name, value] of Object.entries(wanted)) {
    const got = topic.configs[name]
    if (isEnough(name, got, value, topic)) continue
    configs[name] = value
    reasons.push(`${name} is ${got ?? 'not set'}, needs ${value}: ${why[name]}`)
  }
  if (reasons.length > 0) changes.push({ topic: topic.name, configs, reasons })
}

function isEnough(name: string, got: string | undefined, wanted: string, topic: TopicDescription): boolean {
  if (name === 'max.message.bytes') return maxMessageBytes(topic) >= Number(wanted)
  if (ONLY_SPACE.test(name)) return Number(got) <= Number(wanted)
  if (name === 'retention.ms') return got !== undefined && lengthOf(got) >= lengthOf(wanted)
  return got === wanted
}

const WHY_INTERNAL: Readonly<Record<string, string>> = {
  'cleanup.policy': 'compaction would delete records that have the same key',
  'message.timestamp.type': 'retention would delete records that carry an old timestamp',
  'max.message.bytes': 'a record of its source would not fit with our headers',
}

const WHY_BETWEEN: Readonly<Record<string, string>> = {
  ...WHY_INTERNAL,
  'message.timestamp.type': 'its records carry the time of their source',
  'retention.ms': 'records that are still in the source would be deleted here before they are read',
}

const WHY_ONE_LOG: Readonly<Record<string, string>> = {
  'cleanup.policy':
    'retention would delete what is published, or compaction never come; the newest of each key must stay',
  'segment.bytes': 'reports that newer ones have replaced would fill it, and all of them are read for the status',
  'segment.ms': 'reports that newer ones have replaced would stay for so long, and all of them are read for the status',
}

const WHY_AUDIT: Readonly<Record<string, string>> = {
  'cleanup.policy': 'compaction would delete what replays have done',
  'retention.ms': 'dead letters that were handled long ago would count as open again',
}

/** Where these differ nothing is lost, so instances run all the same. */
const ONLY_SPACE = /^segment\./

function refuseDefaults(create: readonly NewTopic[], defaults: TopicDefaults, refuse: string[]): void {
  if (create.length === 0) return
  const { replicationFactor, minIsr, brokerCount } = defaults
  if (replicationFactor > brokerCount) {
    refuse.push(`replication factor ${replicationFactor} needs as many brokers, there are ${brokerCount}: lower it`)
  }
  if (minIsr > replicationFactor) {
    refuse.push(
      `min.insync.replicas ${minIsr} is above the replication factor ${replicationFactor}: nothing could be written`,
    )
  }
}

/**
 * Throws TOPIC_MISSING or TOPIC_POLICY, with everything that is wrong, unless nothing is left to do. `optional`: topics that may be
 * missing, or be otherwise.
 */
export function requireApplied(plan: TopicPlan, optional: readonly string[] = []): void {
  const missing = plan.create.filter(({ name }) => !optional.includes(name)).map(({ name }) => `${name} does not exist`)
  const isNeeded = ({ topic, configs }: TopicChange) =>
    !optional.includes(topic) && Object.keys(configs).some(name => !ONLY_SPACE.test(name))
  const changes = plan.change.filter(isNeeded)
  const policies = [
    ...changes.flatMap(({ topic, reasons }) => reasons.map(reason => `${topic}: ${reason}`)),
    ...plan.refuse,
  ]
  if (missing.length + policies.length === 0) return
  const code = missing.length > 0 ? 'TOPIC_MISSING' : 'TOPIC_POLICY'
  const remedy = plan.refuse.length === 0 ? 'Put it right: kri topics apply' : 'See the remedies above'
  throw new RunInferenceError(code, `${[...missing, ...policies].join('\n  ')}\n  ${remedy}`)
}

/** Creates and changes what the plan says. Throws TOPIC_POLICY, having done nothing, when it refuses something. */
export async function applyPlan(plan: TopicPlan, admin: KafkaAdmin): Promise<void> {
  if (plan.refuse.length > 0) throw new RunInferenceError('TOPIC_POLICY', plan.refuse.join('\n  '))
  if (plan.create.length > 0) await admin.createTopics(plan.create)
  for (const { topic, configs } of plan.change) await admin.setTopicConfigs(topic, configs)
}
