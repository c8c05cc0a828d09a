/**
 * Environment variables that models ask for (Beam: env_vars). Native code reads the environment of its process, and a worker
 * thread's `process.env` is a copy which native code never sees. So what models in threads ask for is set in this process,
 * before any lane starts, and stays; a child process gets what its models ask for when it is started.
 *
 * E1. A variable that has another value already is overwritten, as in Beam.
 * E2. Models share a process only where none of them asks for another value of the same variable.
 * E3. Values are in no log and no error: they may be secrets.
 */

import type { Logger } from '../ops/logger.ts'
import { environment } from '../settings.ts'

/** Values by name. */
export type EnvVars = Readonly<Record<string, string>>

/** Sets variables in this process. */
export function setEnvVars(vars: EnvVars, logger: Logger): void {
  const before = environment()
  const changed = Object.keys(vars).filter(name => before[name] !== vars[name])
  if (changed.length === 0) return
  for (const name of changed) process.env[name] = vars[name]
  const overwritten = changed.filter(name => before[name] !== undefined)
  logger.info({ names: changed }, 'environment variables were set for models')
  if (overwritten.length > 0)
    logger.warn({ names: overwritten }, 'environment variables had other values, which models overwrite')
}

/** What a child process is started with, beside the environment of this one. */
export function childEnvironment(vars: EnvVars): Readonly<Record<string, string | undefined>> {
  return { ...environment(), ...vars }
}

/** Variables of which two models want different values. */
export function disagreements(one: EnvVars = {}, other: EnvVars = {}): string[] {
  return Object.keys(one).filter(name => other[name] !== undefined && other[name] !== one[name])
}

/** Joins what models ask for into as few environments as they can share (E2), in the order of the models. */
export function joinedEnvVars(models: readonly { readonly envVars?: EnvVars }[]): readonly EnvVars[] {
  const joined: EnvVars[] = []
  for (const { envVars = {} } of models) {
    const at = joined.findIndex(vars => disagreements(vars, envVars).length === 0)
    if (at < 0) joined.push(envVars)
    else joined[at] = { ...joined[at], ...envVars }
  }
  return joined
}

/** Whether a process with these variables has all that a model asks for. */
export function hasEnvVars(vars: EnvVars, wanted: EnvVars = {}): boolean {
  return Object.entries(wanted).every(([name, value]) => vars[name] === value)
}
