import { availableParallelism } from 'node:os'
import { forChildProcess, loadSettings } from '../load-settings.ts'
import { systemClock } from '../ops/clock.ts'
import { startOpsServer } from '../ops/http-server.ts'
import { CLOSING_MS, killThisProcess, onTermination } from '../ops/lifecycle.ts'
import { createLogger } from '../ops/logger.ts'
import { addSummaries } from '../ops/run-tally.ts'
import { loadTopology } from '../topology-module.ts'
import { partOf } from '../topology-parts.ts'
import { warnOfVisibleSecrets } from './connect.ts'
import type { RunFlags } from './run.ts'
import { printSummary } from './run-summary.ts'
import { resumeWorkers, workersHealth, workersMetrics } from './worker-endpoints.ts'
import { lanesPerWorker, startWorkerProcess, workerArguments } from './worker-process.ts'
import { WorkerSupervisor } from './worker-supervisor.ts'
import { workersConsole } from './workers-console.ts'

const INTERRUPTED = 130

/** Runs several members of the group as processes of their own, until a signal, the end of the input, or a crash loop. */
export async function runWorkers(module: string, flags: RunFlags & { readonly workers: number }): Promise<void> {
  await using resources = new AsyncDisposableStack()
  const defaults = { lanes: lanesPerWorker(availableParallelism(), flags.workers) }
  const settings = loadSettings({ flags, configFile: flags.config, defaults })
  // What is wrong with it is told once, before anything is started.
  const topology = await loadTopology(module, flags.param ?? {})
  if (flags.part !== undefined) partOf(topology, flags.part)
  const logger = createLogger(settings.logLevel)
  warnOfVisibleSecrets(flags, logger)
  const { lanes } = settings
  const child = forChildProcess<RunFlags>(flags)
  logger.info({ topology: topology.name, workers: flags.workers, lanes }, 'starting workers')

  const startedAt = systemClock.now()
  const http = settings.httpPort !== 'off'
  const stopBudgetMs = settings.shutdownBudgetMs + CLOSING_MS
  const supervisor = new WorkerSupervisor({
    workers: flags.workers,
    untilEnd: flags.untilEnd === true,
    start: (index, onMessage) =>
      startWorkerProcess(workerArguments(module, child.flags, { index, lanes, http }), child.env, onMessage),
    // A worker that outlasts its time ends itself first.
    stopBudgetMs: stopBudgetMs + 1_000,
    clock: systemClock,
    logger,
  })
  resources.defer(() => supervisor.stop().catch(() => {})) // What went wrong is told by `finished` below.
  const health = () => workersHealth(supervisor.workers)
  const console = workersConsole(module, flags, { topology, settings, logger, health })
  resources.defer(() => console?.close())
  const stop = (signal: NodeJS.Signals) => {
    void console?.close()
    if (signal === 'SIGINT') process.exitCode = INTERRUPTED
    return supervisor.stop()
  }
  const die = () => {
    supervisor.kill('SIGKILL')
    killThisProcess()
  }
  resources.defer(onTermination({ stop, budgetMs: stopBudgetMs, clock: systemClock, logger, die }))
  if (settings.httpPort !== 'off') {
    const server = await startOpsServer({
      host: settings.httpHost,
      port: settings.httpPort,
      health,
      resume: () => resumeWorkers(supervisor.workers),
      metrics: workersMetrics(() => supervisor.workers),
      ...(console && { console: console.handle }),
    })
    resources.defer(() => server.close())
    logger.info({ url: server.url, console: console !== undefined }, 'health and metrics of all workers')
  }
  await supervisor.finished
  logger.info({}, 'all workers ended in order')
  if (flags.json !== true && flags.untilEnd !== true) return
  const seconds = (systemClock.now() - startedAt) / 1000
  printSummary(addSummaries(supervisor.summaries), {
    reachedEnd: supervisor.reachedEnd,
    seconds,
    json: flags.json === true,
  })
}
