/** The application itself: a topology as `kri run` runs it, without the commands around it. */
import { readFile } from 'node:fs/promises'
import { modelSourceOf } from '../../src/cli/model-access.ts'
import { createSchemaRegistry } from '../../src/kafka/schema-registry.ts'
import { loadSettings } from '../../src/load-settings.ts'
import { createExecutor } from '../../src/models/executors.ts'
import { modelsOf } from '../../src/models/model-handler.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { nullMetrics } from '../../src/pipeline/null-metrics.ts'
import { startTopology } from '../../src/run.ts'
import { DEFAULT_RUN_SETTINGS, type RunSettings } from '../../src/run-settings.ts'
import { loadTopology } from '../../src/topology-module.ts'
import { benchLogger, connect } from '../connect.ts'
import { receiveOrder, reportReady, reportResult, untilStopped } from './child.ts'
import { timedPort } from './timed-port.ts'

export interface TopologyOrder {
  readonly brokers: readonly string[]
  readonly registryUrl?: string
  readonly file: string
  readonly parameters?: Readonly<Record<string, string>>
  /** Instead of the topology's own: a fresh group for every round. */
  readonly applicationId?: string
  readonly lanes: number
  readonly maxBatch: number
  readonly settings?: Partial<RunSettings> | undefined
  /** End when this many records of this source topic are committed; without it, run until told to stop. */
  readonly until?: { readonly topic: string; readonly records: number; readonly warmUp?: number }
}

const order = await receiveOrder<TopologyOrder>()
const { until = { topic: '', records: Number.POSITIVE_INFINITY, warmUp: 0 } } = order
const { port, finished } = timedPort(connect(order.brokers, 'bench-topology'), until.topic, until.records, until.warmUp)
const loaded = await loadTopology(order.file, order.parameters)
const running = startTopology(
  { ...loaded, applicationId: order.applicationId ?? loaded.applicationId },
  {
    port,
    executor: createExecutor(
      {
        models: loaded.steps.flatMap(step => modelsOf(step.handler)),
        lanes: order.lanes,
        maxBatchRows: order.maxBatch,
      },
      { logger: benchLogger, clock: systemClock, random: Math.random, stuckMs: DEFAULT_RUN_SETTINGS.stuckMs },
    ),
    registry: order.registryUrl === undefined ? undefined : createSchemaRegistry({ url: order.registryUrl }),
    readSchema: name => readFile(new URL(`../../schemas/${name}.avsc`, import.meta.url), 'utf8'),
    settings: { ...DEFAULT_RUN_SETTINGS, ...order.settings },
    clock: systemClock,
    random: Math.random,
    logger: benchLogger,
    metrics: nullMetrics,
    modelFiles: modelSourceOf(loadSettings({ flags: { brokers: order.brokers.join() } }), loaded, systemClock),
  },
)
await running.whenReady()
reportReady()
const stopped = untilStopped().then(() => ({}))
const result = await Promise.race([finished, stopped, running.finished.then(() => ({}))])
await running.stop()
await port.close()
reportResult(result)
