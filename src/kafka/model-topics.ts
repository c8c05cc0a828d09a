/** Topics about the models of an application: what is published, what its instances say of it, and what models on trial say. Only where a step asks for that. */
import type { TopicDescription } from './port.ts'
import { modelMetadataTopic, modelStatusTopic, shadowTopic } from './topic-names.ts'

/** What this module reads of a topology. */
interface TopologyModels {
  readonly applicationId: string
  readonly steps: readonly { readonly options?: { readonly modelMetadata?: boolean } }[]
}

/** The newest record of each key stays, for ever; in one partition all are in one order. */
const ONE_LOG = { 'cleanup.policy': 'compact' }

/**
 * Each instance reports every half a minute, and only its newest report is of use. A segment that is being written is never compacted, so
 * it is a small one (some thousand reports; brokers allow no less than 1 MiB), and another one takes its place within the hour.
 */
const STATUS_LOG = { ...ONE_LOG, 'segment.bytes': String(4 * 1024 * 1024), 'segment.ms': String(3_600_000) }

export function modelTopics(topology: TopologyModels): readonly string[] {
  return [...modelTopicConfigs(topology).keys()]
}

/** By topic: how it has to be set. */
export function modelTopicConfigs({
  applicationId,
  steps,
}: TopologyModels): ReadonlyMap<string, Record<string, string>> {
  if (!steps.some(({ options }) => options?.modelMetadata === true)) return new Map()
  return new Map([
    [modelMetadataTopic(applicationId), ONE_LOG],
    [modelStatusTopic(applicationId), STATUS_LOG],
  ])
}

/**
 * One for each step whose models are published, since each may be given a shadow. Made with the others, but an instance runs without
 * them, and without the right to write them, as long as nobody asks for a shadow.
 */
export function shadowTopics({
  name,
  steps,
}: {
  readonly name: string
  readonly steps: readonly { readonly step: string; readonly options?: { readonly modelMetadata?: boolean } }[]
}): readonly string[] {
  return steps.filter(({ options }) => options?.modelMetadata === true).map(({ step }) => shadowTopic(name, step))
}

/** What no command can put right: as `TopicPlan.refuse`. */
export function modelTopicProblem(topic: TopicDescription | undefined): readonly string[] {
  if (topic === undefined || topic.partitions === 1) return []
  return [
    `${topic.name} has ${topic.partitions} partitions and needs exactly one, where all records are in one order: ` +
      'delete it, it is created again; what was published has to be published anew',
  ]
}
