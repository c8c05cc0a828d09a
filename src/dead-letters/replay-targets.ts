/** Where a replay may write to: checked before anything is written, and again where it shows only then. */
import { consumerGroups } from '../consumer-groups.ts'
import { RunInferenceError } from '../errors.ts'
import type { SinkNode } from '../graph.ts'
import type { KafkaPort, TopicDescription } from '../kafka/port.ts'
import { parkedTopic, replayTopic } from '../kafka/topic-names.ts'
import { DEFAULT_MAX_MESSAGE_BYTES, topicNames } from '../kafka/topics.ts'
import { type Clock, sleep } from '../ops/clock.ts'
import { sourcesAbove } from '../pipeline/graph-ways.ts'
import type { Topology } from '../topology.ts'
import type { ReplayOrder, ReplayTarget } from './replay-audit.ts'
import { refused } from './replay-order.ts'
import type { OutputTopic } from './replay-outputs.ts'

/** How long a group that rebalances is waited for. */
const STABLE_PATIENCE_MS = 15_000
const LOOK_EVERY_MS = 250

export interface TargetParts {
  readonly port: Pick<KafkaPort, 'admin'>
  /** The whole, not a part. */
  readonly topology: Topology
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Topics that `{ kind: 'topic' }` may name. */
  readonly allowedTopics: readonly string[]
}

/** Sources that letters may go back to: what the topology writes itself is read by nobody else's leave. */
export function sourcesFor({ kind }: ReplayTarget, { sources }: Topology): ReadonlySet<string> {
  const all = kind === 'source' ? sources.filter(({ writtenBy }) => writtenBy === undefined) : sources
  return new Set(all.map(({ topic }) => topic))
}

/** Every topic that a run may write to. Rejects TOPIC_MISSING. */
export async function outputTopics(
  { port, topology }: Pick<TargetParts, 'port' | 'topology'>,
  target: ReplayTarget,
): Promise<ReadonlyMap<string, OutputTopic>> {
  const { applicationId, name } = topology
  const sources = [...sourcesFor(target, topology)]
  const own =
    target.kind === 'replay'
      ? sources.map(source => replayTopic(applicationId, source))
      : { source: sources, parked: [], topic: target.kind === 'topic' ? [target.topic] : [] }[target.kind]
  const wanted = [...own, parkedTopic(name)]
  const found = await port.admin.describeTopics(wanted)
  const missing = wanted.filter(topic => found.every(({ name }) => name !== topic))
  if (missing.length > 0) {
    const what = missing.map(topic => `${topic} does not exist`).join('\n  ')
    throw new RunInferenceError('TOPIC_MISSING', `${what}\n  Put it right: kri topics apply`)
  }
  return new Map(found.map(topic => [topic.name, { partitions: topic.partitions, maxMessageBytes: maxBytes(topic) }]))
}

/** Why these records must not be written, by what the order says alone and by what topics are like; undefined: they may. */
export async function targetRefusal(
  { port, topology, allowedTopics }: TargetParts,
  { target, selection, allowStale }: Pick<ReplayOrder, 'target' | 'selection' | 'allowStale'>,
): Promise<string | undefined> {
  if (target.kind === 'parked') return undefined
  if (target.kind === 'topic') {
    const { topic } = target
    if (topicNames(topology).includes(topic) || topic.startsWith(`${topology.applicationId}.replay.`))
      return `${topic} is a topic of this topology, which alone writes it: replay to "replay" or "source" instead`
    if (!allowedTopics.includes(topic)) {
      const got = allowedTopics.length === 0 ? 'which is empty' : `which is ${allowedTopics.join(', ')}`
      return `${topic} is not in the setting replayTargets, ${got}: name it there if it may be written to`
    }
  }
  if (allowStale === true) return undefined
  const written = target.kind === 'topic' ? [target.topic] : outputsOf(topology, selection.steps)
  const compacted = (
    await port.admin.describeTopics([...written, ...(target.kind === 'source' ? sourcesFor(target, topology) : [])])
  )
    .filter(({ configs }) => configs['cleanup.policy']?.includes('compact'))
    .map(({ name }) => name)
  if (compacted.length === 0) return undefined
  const what = compacted.length === 1 ? 'is compacted' : 'are compacted'
  return `${compacted.join(', ')} ${what}: what is made of old records would take the place of what is newer under their keys. Allow it if that is right: --allow-stale`
}

/** Why nobody would read these replay topics; undefined: somebody would. */
export async function readersRefusal(
  parts: Pick<TargetParts, 'port' | 'topology' | 'clock' | 'signal'>,
  topics: readonly string[],
): Promise<string | undefined> {
  const { port, topology, clock, signal } = parts
  for (const { id, sources } of consumerGroups(topology)) {
    const own = sources
      .map(({ topic }) => replayTopic(topology.applicationId, topic))
      .filter(topic => topics.includes(topic))
    if (own.length === 0) continue
    const deadlineMs = clock.now() + STABLE_PATIENCE_MS
    for (;;) {
      const { state, members } = await port.admin.describeGroup(id)
      const unread = own.filter(topic => members.every(member => !member.topics.includes(topic)))
      if (unread.length === 0) break
      const isMoving = members.length > 0 && state !== 'Stable'
      if (!isMoving)
        return `no member of group ${id} reads ${unread.join(', ')}: start the application (kri run), so that what is replayed is processed`
      if (clock.now() >= deadlineMs || signal.aborted)
        return `group ${id} is ${state}, and does not say who reads ${unread.join(', ')}: try again when it is stable`
      await sleep(clock, LOOK_EVERY_MS, signal)
    }
  }
  return undefined
}

/** Throws REPLAY_REFUSED. */
export function refuseUnless(refusal: string | undefined): void {
  if (refusal !== undefined) throw refused(refusal)
}

/** Topics that are written below the sources of these steps. A function above a step fails in its name, and has other outputs too. */
function outputsOf(topology: Topology, steps: readonly string[] | undefined): readonly string[] {
  if (steps === undefined) return topology.sinks.map(({ topic }) => topic)
  const sources = new Set(topology.steps.filter(({ step }) => steps.includes(step)).flatMap(sourcesAbove))
  const sinks = new Set<SinkNode>()
  for (let size = -1; size < sinks.size; ) {
    size = sinks.size
    for (const sink of topology.sinks) if (sourcesAbove(sink).some(source => sources.has(source))) sinks.add(sink)
    for (const source of topology.sources) if (source.writtenBy && sinks.has(source.writtenBy)) sources.add(source)
  }
  return [...sinks].map(({ topic }) => topic)
}

function maxBytes({ configs }: TopicDescription): number {
  return Number(configs['max.message.bytes'] ?? DEFAULT_MAX_MESSAGE_BYTES)
}
