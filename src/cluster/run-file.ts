/**
 * A running cluster owns one folder below the system's temporary folder, and everything that it starts names that
 * folder on its command line. So whoever finds the folder later can tell its processes from strangers that were given
 * the same process ids, and may end them.
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const RUN_FOLDER_PREFIX = 'kri-cluster-'

/** Written by the supervisor whenever it changes. */
export interface RunFile {
  readonly supervisorPid: number
  readonly services: readonly { readonly name: string; readonly pid: number }[]
}

export function writeRunFile(folder: string, run: RunFile): void {
  const path = join(folder, 'run.json')
  writeFileSync(`${path}.new`, JSON.stringify(run))
  renameSync(`${path}.new`, path)
}

/** Undefined when the folder is gone or its supervisor has not come that far. */
export function readRunFile(folder: string): RunFile | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8')) as RunFile
  } catch {
    return undefined
  }
}

/** True when the process lives and was started for this folder. */
export function isRunning(pid: number, folder: string): boolean {
  return commandLine(pid)?.includes(folder) ?? false
}

/** Ends what is left of a run without its supervisor, and removes its folder. */
export function endLeftovers(folder: string): void {
  for (const { pid } of readRunFile(folder)?.services ?? []) {
    if (!isRunning(pid, folder)) continue
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It ended in between, which is what was wanted.
    }
  }
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
}

/** Clears away runs whose supervisor was killed, which is the one death that it cannot clean up after. */
export function sweepLeftovers(): void {
  for (const name of readdirSync(tmpdir())) {
    if (!name.startsWith(RUN_FOLDER_PREFIX)) continue
    const folder = join(tmpdir(), name)
    const run = readRunFile(folder)
    // Without a file it is just being set up by somebody.
    if (run !== undefined && !isRunning(run.supervisorPid, folder)) endLeftovers(folder)
  }
}

function commandLine(pid: number): string | undefined {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    return execFileSync('ps', ['-ww', '-o', 'args=', '-p', String(pid)], { encoding: 'utf8' })
  } catch {
    return undefined
  }
}
