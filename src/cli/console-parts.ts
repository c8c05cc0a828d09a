/** What the console of a command works with: the same in `kri run` and in `kri console`. */
import { hostname } from 'node:os'
import type { ConsoleAccess } from '../console/console-guard.ts'
import type { ConsoleParts } from '../console/console-parts.ts'
import type { Settings } from '../load-settings.ts'
import { systemClock } from '../ops/clock.ts'
import { type Connected, readSchema } from './connect.ts'
import { packageVersion } from './package-version.ts'

export function consoleParts({
  topology,
  port,
  registry,
  logger,
  settings,
}: Pick<Connected, 'topology' | 'port' | 'registry' | 'logger' | 'settings'>): ConsoleParts {
  return {
    ...{ topology: topology.whole ?? topology, port, registry, readSchema, logger },
    ...{ clock: systemClock, random: Math.random, version: packageVersion(), by: consoleName() },
    ...{ guarantee: settings.processingGuarantee, allowedTopics: settings.replayTargets },
  }
}

/** Whom audits and publications name: whoever has the token is not known by name. */
export function consoleName(): string {
  return `console@${hostname()}`
}

export function accessOf({ consoleHosts, consoleToken }: Settings): ConsoleAccess {
  return { hosts: consoleHosts, token: consoleToken }
}
