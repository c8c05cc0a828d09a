import { type ConsoleMount, hasConsole, mountConsole } from '../console/console-mount.ts'
import type { ConsoleSource } from '../console/console-source.ts'
import type { Settings } from '../load-settings.ts'
import { systemClock } from '../ops/clock.ts'
import type { Logger } from '../ops/logger.ts'
import type { HealthReport } from '../ops/run-health.ts'
import type { Topology } from '../topology.ts'
import { prepareConnections } from './connect.ts'
import type { RunFlags } from './run.ts'

export interface WorkersConsoleParts {
  readonly topology: Topology
  readonly settings: Settings
  readonly logger: Logger
  /** Of all workers together. */
  readonly health: () => Promise<HealthReport>
}

/**
 * The console of all workers as one, which their parent has: the application as Kafka has it, where each worker is an instance, and what
 * the workers wait for. Loaded and connected when somebody looks at it: a parent has no connections of its own. Undefined: it has none.
 */
export function workersConsole(
  module: string,
  flags: RunFlags,
  { topology, settings, logger, health }: WorkersConsoleParts,
): ConsoleMount | undefined {
  if (!hasConsole(settings)) return undefined
  return mountConsole(async () => {
    const [{ applicationSource }, { createConsoleServer }, { commandModels }, { accessOf, consoleParts }] =
      await Promise.all([
        import('../console/application-source.ts'),
        import('../console/console-server.ts'),
        import('./console-models.ts'),
        import('./console-parts.ts'),
      ])
    const { close, ...connections } = await prepareConnections(settings, logger)
    const parts = consoleParts({ topology, settings, logger, ...connections })
    const server = await createConsoleServer({
      source: withHealth(applicationSource({ ...parts, models: commandModels(module, flags) }), health),
      access: accessOf(settings),
      clock: systemClock,
    })
    return {
      ...server,
      async close() {
        await server.close()
        await close()
      },
    }
  }, logger)
}

/** What workers wait for stands beside what is wrong with the application. */
export function withHealth(source: ConsoleSource, health: () => Promise<HealthReport>): ConsoleSource {
  const { snapshots } = source
  return {
    ...source,
    snapshots: {
      ...snapshots,
      async take(signal) {
        const [snapshot, { ready, problems }] = await Promise.all([snapshots.take(signal), health()])
        return { ...snapshot, ready: snapshot.ready && ready, problems: { ...problems, ...snapshot.problems } }
      },
    },
  }
}
