import { type ConsoleMount, hasConsole, mountConsole } from '../console/console-mount.ts'
import type { InstanceParts } from '../console/instance-source.ts'
import { sleep, systemClock } from '../ops/clock.ts'
import type { Connected } from './connect.ts'
import type { RunFlags } from './run.ts'

/** The instance, as its console sees it; asked for with the first request. */
export type SeenInstance = Pick<InstanceParts, 'instance' | 'running' | 'metrics'>

/** Of scans in an instance: so long for its records behind each block. */
const GIVE_WAY_MS = 5

/** The console of an instance, loaded when somebody looks at it; undefined: it has none. */
export function runConsole(
  module: string,
  flags: RunFlags,
  connected: Connected,
  seen: () => SeenInstance,
): ConsoleMount | undefined {
  // Workers answer to their parent alone.
  if (flags.asWorker !== undefined || !hasConsole(connected.settings)) return undefined
  return mountConsole(async () => {
    const [{ instanceSource }, { createConsoleServer }, { commandModels }, { accessOf, consoleParts }] =
      await Promise.all([
        import('../console/instance-source.ts'),
        import('../console/console-server.ts'),
        import('./console-models.ts'),
        import('./console-parts.ts'),
      ])
    return createConsoleServer({
      source: instanceSource({
        ...{ ...consoleParts(connected), ...seen(), models: commandModels(module, flags) },
        giveWay: () => sleep(systemClock, GIVE_WAY_MS),
      }),
      access: accessOf(connected.settings),
      clock: systemClock,
    })
  }, connected.logger)
}
