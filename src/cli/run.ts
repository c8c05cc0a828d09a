import { createThreadExecutor } from '../models/thread-executor.ts'
import { systemClock } from '../ops/clock.ts'
import { letHeapGrow } from '../ops/heap-growth.ts'
import { startOpsServer } from '../ops/http-server.ts'
import { startLaneWatch } from '../ops/lane-watch.ts'
import { onTermination } from '../ops/lifecycle.ts'
import { createMetrics } from '../ops/metrics.ts'
import { startStallWatch } from '../ops/stall-watch.ts'
import { startTopology } from '../run.ts'
import { describeSettings } from '../settings.ts'
import { connect, readSchema, type TopologyFlags } from './connect.ts'

const DEFAULT_BATCH_ROWS = 256

export interface RunFlags extends TopologyFlags {
  readonly untilEnd?: boolean
}

/** Runs until a signal, the end of the input (`--until-end`), or an error that waiting does not mend. */
export async function run(module: string, flags: RunFlags): Promise<void> {
  letHeapGrow()
  await using resources = new AsyncDisposableStack()
  const { topology, settings, logger, port, registry, close } = await connect(module, flags)
  resources.defer(close)
  logger.info({ topology: topology.name, settings: describeSettings(settings) }, 'starting')

  const metrics = createMetrics()
  const watch = startStallWatch({ stallMs: settings.stallMs, onDelay: ms => metrics.stalled(ms) })
  resources.defer(() => watch.stop())
  const maxBatchRows = Math.max(...topology.steps.map(step => step.options.batch?.maxSize ?? DEFAULT_BATCH_ROWS), 1)
  const executor = createThreadExecutor({ lanes: settings.lanes, maxBatchRows }, { logger, clock: systemClock })
  metrics.watchLanes(executor.lanes)
  resources.defer(startLaneWatch({ lanes: executor.lanes, stuckMs: settings.stuckMs, clock: systemClock, logger }))
  const running = startTopology(topology, {
    port,
    executor,
    registry,
    readSchema,
    settings,
    clock: systemClock,
    random: Math.random,
    logger,
    metrics,
    note: watch.note,
  })
  // What went wrong is told by `finished` below.
  resources.defer(() => running.stop().catch(() => {}))
  const termination = { stop: () => running.stop(), budgetMs: settings.shutdownBudgetMs, clock: systemClock, logger }
  resources.defer(onTermination(termination))
  if (settings.httpPort !== 'off') {
    const health = () => running.health()
    const server = await startOpsServer({ host: settings.httpHost, port: settings.httpPort, health, metrics })
    resources.defer(() => server.close())
    logger.info({ url: server.url }, 'health and metrics')
  }
  if (flags.untilEnd === true) await Promise.race([running.whenCaughtUp().then(() => running.stop()), running.finished])
  await running.finished
  logger.info({}, 'ended in order')
}
