/** What one instance knows of itself: its metrics and health, what it reads; and, as any console, what Kafka has. */
import { consumerGroups } from '../consumer-groups.ts'
import { shownModelId } from '../credentials.ts'
import { describeTopology } from '../describe/description.ts'
import { metricReadings } from '../ops/metric-readings.ts'
import type { Prometheus } from '../ops/prometheus.ts'
import type { RunningTopology } from '../run.ts'
import type { ConsoleSnapshot } from './console-api.ts'
import type { ConsoleParts } from './console-parts.ts'
import type { ConsoleSource, ModelSource, SnapshotSource } from './console-source.ts'
import { type DrawnGraph, drawGraph } from './graph-view.ts'
import { INSTANCE_GAUGES, INSTANCE_METRICS, instanceNumbers } from './instance-numbers.ts'
import { kafkaLetters } from './kafka-letters.ts'
import { modelLook } from './model-views.ts'
import { refreshed, tellsOf } from './refreshed.ts'
import { replayLook, withOwn } from './replay-views.ts'
import { type RunningReplays, runningReplays } from './running-replays.ts'
import { shownFleets } from './shown-instances.ts'
import { shownPartitions } from './shown-partitions.ts'
import { letterTopics, recordCounts, topicEnds } from './topic-ends.ts'

const EVERY_MS = 1_000
/** Batch sizes are those of the last minute. */
const KEPT_MS = 60_000
/** What is asked of Kafka, and not of this process. */
const ENDS_MS = 2_000
const KAFKA_MS = 5_000
/** In an outage a client of Kafka is patient; who looks at an instance then is not. */
const PATIENCE_MS = 500

export interface InstanceParts extends ConsoleParts {
  readonly instance: string
  readonly running: Pick<RunningTopology, 'health' | 'positions'>
  readonly metrics: Pick<Prometheus, 'read'>
  readonly models: ModelSource
}

export function instanceSource(parts: InstanceParts): ConsoleSource {
  const { topology, instance, guarantee, version } = parts
  const { applicationId } = topology
  const graph = drawGraph(describeTopology(topology))
  const replays = runningReplays(parts)
  return {
    about: () => ({
      ...{ application: applicationId, topology: topology.name, scope: 'instance', instance },
      ...{ version, guarantee, graph: graph.view },
    }),
    snapshots: instanceSnapshots(parts, graph, replays),
    letters: kafkaLetters(parts),
    replays,
    models: parts.models,
    close: () => replays.close(),
  }
}

function instanceSnapshots(parts: InstanceParts, graph: DrawnGraph, replays: RunningReplays): SnapshotSource {
  const { clock, instance, logger, metrics, running } = parts
  const readings = metricReadings(metrics, clock, INSTANCE_METRICS, KEPT_MS, INSTANCE_GAUGES)
  const failed = tellsOf(logger)
  const looks = modelLook(parts)
  const models = refreshed(
    clock,
    KAFKA_MS,
    async signal => looks(await memberIdsOf(parts), signal),
    failed,
    PATIENCE_MS,
  )
  const audit = refreshed(clock, KAFKA_MS, replayLook(parts), failed, PATIENCE_MS)
  const topics = letterTopics(parts)
  const letters = refreshed(
    clock,
    KAFKA_MS,
    async () => recordCounts(await topicEnds(parts, topics), topics),
    failed,
    PATIENCE_MS,
  )
  const ends = refreshed(clock, ENDS_MS, () => topicEnds(parts, topicsOf(running.positions())), failed, PATIENCE_MS)
  return {
    everyMs: EVERY_MS,
    async take(signal): Promise<ConsoleSnapshot> {
      await readings.read()
      const { state, ready, problems, models: served } = running.health()
      // Where Kafka cannot be asked, what the instance knows by itself is shown all the same.
      const or = <T>(look: Promise<T>, nothing: T) => look.catch(() => nothing)
      const [now, told, counts, published] = await Promise.all([
        or(ends(signal), { ends: new Map(), missing: {} }),
        or(audit(signal), []),
        or(letters(signal), []),
        or(models(signal), { slots: [], instances: [] }),
      ])
      const numbers = instanceNumbers(readings, graph, {
        ...{ positions: running.positions(), ends: now.ends, instance, topology: parts.topology.name },
      })
      const own = served.map(({ step, modelId }) => ({ slot: step, instance, modelId: shownModelId(modelId) }))
      return {
        ...{ at: new Date(clock.wallTime()).toISOString(), state, ready, problems },
        ...numbers,
        ...shownPartitions(numbers.partitions),
        instances: [
          {
            ...{ instance, partitions: numbers.partitions.length, isMember: state === 'joined' },
            seen: new Date(clock.wallTime()).toISOString(),
            ...numbers.throughput,
          },
        ],
        // Of a step that does not follow what is published nobody writes a status.
        models: shownFleets(published.slots).map(slot => ({
          ...slot,
          fleet:
            slot.fleet.length > 0
              ? slot.fleet
              : own
                  .filter(each => each.slot === slot.slot)
                  .map(({ modelId }) => ({ instance, state: 'current' as const, revision: 0, modelId })),
        })),
        deadLetters: counts,
        replays: withOwn(told, replays.views()),
      }
    },
    rest: () => readings.forget(),
  }
}

async function memberIdsOf({ port, topology }: InstanceParts): Promise<readonly string[]> {
  const groups = consumerGroups(topology).map(({ id }) => port.admin.describeGroup(id))
  return (await Promise.all(groups)).flatMap(({ members }) => members.map(({ memberId }) => memberId))
}

function topicsOf(positions: Readonly<Record<string, number>>): readonly string[] {
  return [...new Set(Object.keys(positions).map(place => place.slice(0, place.lastIndexOf('/'))))]
}
