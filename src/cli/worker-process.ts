import { spawn } from 'node:child_process'
import { settingFlag } from '../settings-names.ts'
import type { RunFlags } from './run.ts'
import type { WorkerMessage } from './worker-channel.ts'

/** A child that runs one member of the group. */
export interface WorkerProcess {
  readonly pid: number | undefined
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  kill(signal: NodeJS.Signals): void
}

/** Starts this program again, as one worker. Its log goes where ours goes. */
export function startWorkerProcess(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  onMessage: (message: WorkerMessage) => void,
): WorkerProcess {
  const program = [...process.execArgv, process.argv[1]!, ...args]
  // Standard output is for our summary; what functions print there must not mix with it.
  const child = spawn(process.execPath, program, { env, stdio: ['ignore', 2, 2, 'ipc'] })
  child.on('message', message => onMessage(message as WorkerMessage))
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => resolve({ code, signal }))
  })
  return { pid: child.pid, ended, kill: signal => void child.kill(signal) }
}

/** The command line of worker `index`: what the parent was given, without secrets, and what only a worker is told. */
export function workerArguments(
  module: string,
  { workers, part, untilEnd, json, param = {}, config, ...settings }: RunFlags,
  own: { readonly index: number; readonly lanes: number; readonly http: boolean },
): readonly string[] {
  const given = Object.entries({
    ...settings,
    part,
    config,
    lanes: own.lanes,
    // Only the parent asks; what it tells others is the sum.
    httpHost: '127.0.0.1',
    httpPort: own.http ? 0 : 'off',
    asWorker: own.index,
  })
  const flags = given.filter(([, value]) => value !== undefined).map(([name, value]) => `${settingFlag(name)}=${value}`)
  const parameters = Object.entries(param).map(([name, value]) => `--param=${name}${value === true ? '' : `=${value}`}`)
  return ['run', ...flags, ...parameters, ...(untilEnd === true ? ['--until-end'] : []), '--', module]
}

/** Each worker has its share of the cores; one of them is for its main thread, if there are several. */
export function lanesPerWorker(cores: number, workers: number): number {
  return Math.max(1, Math.floor(cores / workers) - 1)
}
