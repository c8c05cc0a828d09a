import { hostname } from 'node:os'
import { RunInferenceError } from '../errors.ts'
import { describeSettings } from '../load-settings.ts'
import { createExecutor } from '../models/executors.ts'
import { readMachine } from '../models/machine.ts'
import { modelsOf } from '../models/model-handler.ts'
import { systemClock } from '../ops/clock.ts'
import { letHeapGrow } from '../ops/heap-growth.ts'
import { startOpsServer } from '../ops/http-server.ts'
import { startLaneWatch } from '../ops/lane-watch.ts'
import { isProcessOne, killThisProcess, onTermination, type TerminationOptions } from '../ops/lifecycle.ts'
import { createLogger, type LogLevel } from '../ops/logger.ts'
import { createMetrics } from '../ops/metrics.ts'
import { tallyRun } from '../ops/run-tally.ts'
import { startStallWatch } from '../ops/stall-watch.ts'
import { batchPolicy } from '../pipeline/batch-policy.ts'
import { startTopology } from '../run.ts'
import { partOf } from '../topology-parts.ts'
import { connect, readSchema, type TopologyFlags } from './connect.ts'
import { modelSourceOf } from './model-access.ts'
import { runConsole } from './run-console.ts'
import { createRunProgress } from './run-progress.ts'
import { printSummary } from './run-summary.ts'
import { type WorkerChannel, workerChannel } from './worker-channel.ts'

const INTERRUPTED = 130
/** What fails for longer is told, and then tried again by the topology. */
const BROKER_PATIENCE_MS = 1_000

export interface RunFlags extends TopologyFlags {
  readonly untilEnd?: boolean
  readonly part?: string
  readonly workers?: number
  /** Set by the parent of `--workers`: which of them this process is. */
  readonly asWorker?: number
  readonly json?: boolean
}

/** Runs until a signal, the end of the input (`--until-end`), or an error that waiting does not mend. */
export async function run(module: string, flags: RunFlags): Promise<void> {
  if (flags.workers !== undefined && flags.workers > 1) {
    const { runWorkers } = await import('./workers.ts')
    return runWorkers(module, { ...flags, workers: flags.workers })
  }
  const parent = flags.asWorker === undefined ? undefined : workerChannel()
  try {
    await runMember(module, flags, parent)
  } catch (error) {
    const { code, message, retriable } = RunInferenceError.from(error, 'BUG')
    await parent?.tell({ kind: 'failed', code, message, retriable })
    throw error
  }
}

async function runMember(module: string, flags: RunFlags, parent: WorkerChannel | undefined): Promise<void> {
  letHeapGrow()
  await using resources = new AsyncDisposableStack()
  const progress = flags.untilEnd === true ? createRunProgress(systemClock.now) : undefined
  resources.defer(() => progress?.clear())
  const { asWorker } = flags
  const makeLogger = (level: LogLevel) => {
    const logger = createLogger(level, progress?.destination)
    return asWorker === undefined ? logger : logger.child({ worker: asWorker })
  }
  const connected = await connect(module, flags, { makeLogger, adminPatienceMs: BROKER_PATIENCE_MS })
  const { topology: whole, settings, logger, port, registry } = connected
  resources.defer(connected.close)
  const topology = flags.part === undefined ? whole : partOf(whole, flags.part)
  if (isProcessOne())
    logger.warn(
      {},
      'this is process 1, which cannot end itself when its main loop hangs: start it under an init, e.g. tini',
    )
  logger.info({ topology: topology.name, part: flags.part, settings: describeSettings(settings) }, 'starting')

  const prometheus = createMetrics()
  const { metrics, summary } = tallyRun(prometheus)
  const watch = startStallWatch({ stallMs: settings.stallMs, onDelay: ms => metrics.stalled(ms) })
  resources.defer(() => watch.stop())
  const console = runConsole(module, flags, connected, () => ({ instance: instanceId, running, metrics: prometheus }))
  // Before anything is loaded, since it fails on a port that is taken; nothing is asked of it until the topology is there.
  const server =
    settings.httpPort === 'off'
      ? undefined
      : await startOpsServer({
          host: settings.httpHost,
          port: settings.httpPort,
          health: () => running.health(),
          resume: () => running.resume(),
          metrics,
          ...(console && { console: console.handle }),
        })
  resources.defer(() => server?.close())
  const maxBatchRows = Math.max(...topology.steps.map(step => batchPolicy(step.options.batch ?? {}).maxSize), 1)
  const models = topology.steps.flatMap(step => modelsOf(step.handler))
  const executor = createExecutor(
    { models, lanes: settings.lanes, maxBatchRows },
    { logger, clock: systemClock, random: Math.random, stuckMs: settings.stuckMs },
  )
  resources.defer(() => {
    if (executor.leaving.length === 0) return
    logger.error(
      {},
      'a thread hangs in native code: all else has ended in order, and this process ends itself by SIGKILL',
    )
    process.once('exit', killThisProcess)
  })
  metrics.watchLanes(executor.lanes, executor.leaving)
  resources.defer(startLaneWatch({ lanes: executor.lanes, stuckMs: settings.stuckMs, clock: systemClock, logger }))
  const startedAt = systemClock.now()
  const instanceId = `${hostname()}-${process.pid}`
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
    modelFiles: modelSourceOf(settings, topology, systemClock),
    instanceId,
    machine: readMachine(),
    note: watch.note,
  })
  metrics.watchReady(() => running.health().ready)
  // What went wrong is told by `finished` below.
  resources.defer(() => running.stop().catch(() => {}))
  resources.defer(() => console?.close())
  const stop = (signal: NodeJS.Signals) => {
    void console?.close()
    if (signal === 'SIGINT') process.exitCode = INTERRUPTED
    return running.stop()
  }
  // Ctrl-C reaches workers too, but their parent is the one to say what becomes of them.
  if (parent !== undefined) for (const signal of ['SIGINT', 'SIGHUP']) process.on(signal, () => {})
  const led: Pick<TerminationOptions, 'signals' | 'isLed'> =
    parent === undefined ? {} : { signals: ['SIGTERM'], isLed: true }
  resources.defer(onTermination({ stop, budgetMs: settings.shutdownBudgetMs, clock: systemClock, logger, ...led }))
  parent?.onOrphaned(() => process.kill(process.pid, 'SIGTERM'))
  if (server !== undefined) {
    logger.info({ url: server.url, console: console !== undefined }, 'health and metrics')
    await parent?.tell({ kind: 'listening', url: server.url })
  }
  // Why it does not get ready is told by `finished`.
  running.whenReady().then(
    () => parent?.tell({ kind: 'ready' }),
    () => {},
  )
  let reachedEnd = false
  const untilEnd = async () => {
    reachedEnd = await running.whenCaughtUp((done, total) => progress?.show(logger, done, total))
    await running.stop()
  }
  if (flags.untilEnd === true) await Promise.race([untilEnd(), running.finished])
  await running.finished
  progress?.clear()
  logger.info({}, 'ended in order')
  if (parent !== undefined) await parent.tell({ kind: 'summary', summary: summary(), reachedEnd })
  else if (flags.json === true || flags.untilEnd === true)
    printSummary(summary(), { reachedEnd, seconds: (systemClock.now() - startedAt) / 1000, json: flags.json === true })
}
