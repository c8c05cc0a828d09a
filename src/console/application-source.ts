/** The whole application, as Kafka has it: nothing is asked of its instances, and nothing is joined or committed. */
import { describeTopology } from '../describe/description.ts'
import { createReadings, type Readings } from '../ops/readings.ts'
import {
  type ApplicationLook,
  instanceViews,
  lookAtApplication,
  partitionViews,
  toldStats,
} from './application-look.ts'
import type { ConsoleSnapshot, PartitionView, RecordRates } from './console-api.ts'
import type { ConsoleParts } from './console-parts.ts'
import type { ConsoleSource, ModelSource, SnapshotSource } from './console-source.ts'
import { type DrawnGraph, drawGraph } from './graph-view.ts'
import { kafkaLetters } from './kafka-letters.ts'
import { lagSeconds } from './lag-seconds.ts'
import { modelLook } from './model-views.ts'
import { refreshed, tellsOf } from './refreshed.ts'
import { replayLook, withOwn } from './replay-views.ts'
import { type RunningReplays, runningReplays } from './running-replays.ts'
import { shownFleets, shownInstances } from './shown-instances.ts'
import { shownPartitions } from './shown-partitions.ts'
import { letterTopics, recordCounts } from './topic-ends.ts'
import { fleetWork } from './work-view.ts'

const EVERY_MS = 2_000
/** Commits come in bursts: rates are those of so long. */
const RATE_MS = 10_000
const SLOW_MS = 5_000

export interface ApplicationParts extends ConsoleParts {
  readonly models: ModelSource
}

export function applicationSource(parts: ApplicationParts): ConsoleSource {
  const { topology, guarantee, version } = parts
  const graph = drawGraph(describeTopology(topology))
  const replays = runningReplays(parts)
  return {
    about: () => ({
      ...{ application: topology.applicationId, topology: topology.name, scope: 'application' },
      ...{ version, guarantee, graph: graph.view },
    }),
    snapshots: applicationSnapshots(parts, graph, replays),
    letters: kafkaLetters(parts),
    replays,
    models: parts.models,
    close: () => replays.close(),
  }
}

function applicationSnapshots(parts: ConsoleParts, graph: DrawnGraph, replays: RunningReplays): SnapshotSource {
  const { clock, logger } = parts
  const readings = createReadings(clock, RATE_MS)
  const failed = tellsOf(logger)
  let look: ApplicationLook | undefined
  let partitions: readonly PartitionView[] = []
  const looks = modelLook(parts)
  const models = refreshed(clock, SLOW_MS, signal => looks(memberIdsOf(look!), signal), failed)
  const audit = refreshed(clock, SLOW_MS, replayLook(parts), failed)
  const seconds = refreshed(clock, SLOW_MS, signal => lagSeconds(parts, partitions, signal), failed)
  return {
    everyMs: EVERY_MS,
    async take(signal): Promise<ConsoleSnapshot> {
      look = await lookAtApplication(parts)
      // What cannot be asked for, for want of a right perhaps, hides nothing else.
      const unseen: Record<string, string> = {}
      const or = <T>(what: string, wanted: Promise<T>, nothing: T) =>
        wanted.catch((error: unknown) => {
          unseen[what] = error instanceof Error ? error.message : String(error)
          return nothing
        })
      const [published, told] = await Promise.all([
        or('models', models(signal), { slots: [], instances: [] }),
        or('replays', audit(signal), []),
      ])
      partitions = partitionViews(look, published.instances)
      readings.add(numbersOf(look, partitions))
      const age = await or('age of what waits', seconds(signal), undefined)
      const stats = toldStats(look, published.instances, clock.wallTime())
      const instances = instanceViews(look, published.instances, stats)
      const members = instances.filter(({ isMember }) => isMember).length
      const records = partitions.reduce((sum, { lag }) => sum + lag, 0)
      return {
        at: new Date(clock.wallTime()).toISOString(),
        ...stateOf(look, unseen),
        ...ratesOf(parts, look, readings, graph),
        lag: { records, ...(records === 0 ? { seconds: 0 } : age !== undefined && { seconds: age }) },
        ...shownPartitions(partitions),
        ...shownInstances(instances),
        ...(stats.size > 0 && { told: { instances: stats.size, members } }),
        ...fleetWork([...stats.values()]),
        models: shownFleets(published.slots),
        deadLetters: recordCounts(look, letterTopics(parts)),
        replays: withOwn(told, replays.views()),
      }
    },
    rest: () => readings.forget(),
  }
}

function memberIdsOf({ groups }: ApplicationLook): readonly string[] {
  return groups.flatMap(({ members }) => members.map(({ memberId }) => memberId))
}

function stateOf(
  { groups, missing }: ApplicationLook,
  unseen: Readonly<Record<string, string>>,
): Pick<ConsoleSnapshot, 'state' | 'ready' | 'problems'> {
  const problems: Record<string, string> = { ...missing }
  for (const { id, state, members } of groups) {
    if (members.length === 0) problems[`group ${id}`] = 'it has no member: nothing is processed. Start one with kri run'
    else if (state !== 'Stable') problems[`group ${id}`] = `it is ${state}`
  }
  const state = groups.find(each => each.state !== 'Stable')?.state ?? 'Stable'
  return { state, ready: Object.keys(problems).length === 0, problems: { ...problems, ...unseen } }
}

const ENDS = 'end '
const DONE = 'done '

/** Ends of topics, and how far their groups are. */
function numbersOf({ ends }: ApplicationLook, partitions: readonly PartitionView[]): ReadonlyMap<string, number> {
  const numbers = new Map<string, number>()
  for (const [topic, each] of ends)
    numbers.set(
      `${ENDS}${topic}`,
      each.reduce((sum, { end }) => sum + end, 0),
    )
  for (const { topic, committed } of partitions)
    numbers.set(`${DONE}${topic}`, (numbers.get(`${DONE}${topic}`) ?? 0) + committed)
  return numbers
}

function ratesOf(
  { topology }: ConsoleParts,
  look: ApplicationLook,
  readings: Readings,
  graph: DrawnGraph,
): Pick<ConsoleSnapshot, 'throughput' | 'rates'> {
  const rate = (prefix: string, topic: string) => readings.perSecond(`${prefix}${topic}`, RATE_MS, true)
  const ratesBy = (prefix: string, topics: Iterable<string>) =>
    new Map(
      [...topics].flatMap(topic => {
        const each = rate(prefix, topic)
        return each === undefined ? [] : [[topic, each] as const]
      }),
    )
  const sum = (name: keyof RecordRates, prefix: string, topics: readonly string[]): RecordRates => {
    const rates = ratesBy(prefix, topics)
    // What one of them has is not known: nor is the sum.
    return rates.size < topics.length ? {} : { [name]: [...rates.values()].reduce((all, each) => all + each, 0) }
  }
  const outside = topology.sources.filter(({ writtenBy }) => writtenBy === undefined).map(({ topic }) => topic)
  const read = new Set(topology.sources.map(({ topic }) => topic))
  const letters = letterTopics({ topology })
  // Sources are written by others, and what is written between parts is read too.
  const own = [...look.ends.keys()].filter(topic => !outside.includes(topic))
  return {
    throughput: {
      ...sum('inPerSecond', ENDS, outside),
      ...sum('outPerSecond', DONE, outside),
      ...sum('failedPerSecond', ENDS, letters),
    },
    rates: graph.rates({ read: ratesBy(DONE, read), written: ratesBy(ENDS, own) }),
  }
}
