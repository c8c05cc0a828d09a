import { type ChildProcess, fork } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { RunInferenceError } from '../errors.ts'
import { endLeftovers } from './run-file.ts'
import type { ServiceSpec, SupervisorMessage, SupervisorRequest } from './service.ts'

/** The program's end of a supervisor. */
export interface Supervised {
  start(service: ServiceSpec): Promise<void>
  /** Sends a signal; with `untilExit`, resolves when the process has ended. */
  signal(name: string, signal: NodeJS.Signals, untilExit: boolean): Promise<void>
  /** Lets the services outlive this process. */
  release(): Promise<void>
  /** Kills every service and removes the run folder. */
  stop(): Promise<void>
}

/** Starts the supervisor of a run folder. `onExit` is told when a service ends, whatever the reason. */
export function supervise(
  folder: string,
  logFolder: string,
  onExit: (service: string, how: string) => void,
): Supervised {
  const log = openSync(join(logFolder, 'supervisor.log'), 'a')
  // The suffix is `.ts` from the sources and `.js` from the build.
  const program = fileURLToPath(new URL(`./supervisor${extname(import.meta.url)}`, import.meta.url))
  const child: ChildProcess = fork(program, [folder], {
    detached: true,
    execArgv: [],
    stdio: ['ignore', log, log, 'ipc'],
  })
  closeSync(log)

  const pending = new Map<number, { resolve: () => void; reject: (error: Error) => void }>()
  let lastId = 0
  let stopped = false

  const gone = new Promise<void>(resolve => {
    child.once('error', reason => end(reason.message, resolve))
    child.once('exit', (code, signal) => end(signal ?? `exit code ${code}`, resolve))
  })

  function end(how: string, resolve: () => void): void {
    if (!stopped) endLeftovers(folder)
    const error = new RunInferenceError('CLUSTER_UNAVAILABLE', `the supervisor of the local cluster ended (${how})`)
    for (const request of pending.values()) request.reject(error)
    pending.clear()
    resolve()
  }

  child.on('message', (message: SupervisorMessage) => {
    if ('exited' in message) return onExit(message.exited, message.how)
    const request = pending.get(message.id)
    pending.delete(message.id)
    letGoWhenIdle()
    if (message.error === undefined) request?.resolve()
    else request?.reject(new RunInferenceError('CLUSTER_UNAVAILABLE', message.error))
  })

  // A program that forgets its cluster must still be able to end, and its cluster ends with it.
  function letGoWhenIdle(): void {
    if (pending.size === 0) child.channel?.unref()
  }

  child.unref()

  function ask(request: SupervisorRequest): Promise<void> {
    if (!child.connected)
      return Promise.reject(new RunInferenceError('CLOSED', 'the local cluster was stopped or released'))
    const id = ++lastId
    child.channel?.ref()
    return new Promise((resolve, reject) => {
      pending.set(id, { resolve, reject })
      child.send({ ...request, id })
    })
  }

  return {
    start: service => ask({ op: 'start', service }),
    signal: (name, signal, untilExit) => ask({ op: 'signal', name, signal, untilExit }),
    async release() {
      await ask({ op: 'release' })
      stopped = true
      child.disconnect()
    },
    async stop() {
      if (stopped) return gone
      stopped = true
      child.ref()
      // Answered by the end of the process, which rejects the request: that is success here.
      await Promise.all([ask({ op: 'stop' }).catch(() => {}), gone])
    },
  }
}
