/**
 * The process between a program and the Java processes that it needs. It is a session of its own, so Ctrl-C reaches the
 * program first, and it holds one end of a pipe whose other end closes when the program dies, however it dies.
 *
 * 1. When the program goes away without `release`, every service is killed and the run folder removed.
 * 2. After `release` the services live until SIGTERM (`kri cluster down`).
 * 3. `run.json` names every process that lives, at any time, so that the next start can clean up after `kill -9` of
 *    this process.
 *
 * Services are killed, not asked: their data is removed with them.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, rmSync } from 'node:fs'
import { writeRunFile } from './run-file.ts'
import type { ServiceSpec, SupervisorMessage, SupervisorRequest } from './service.ts'

const folder = process.argv[2]
if (folder === undefined || process.send === undefined) throw new Error('to be started by startCluster only')

const running = new Map<string, ChildProcess>()
let released = false
let stopping = false

function recordRun(): void {
  if (stopping) return
  const services = [...running].map(([name, child]) => ({ name, pid: child.pid! }))
  writeRunFile(folder!, { supervisorPid: process.pid, services })
}

function tell(message: SupervisorMessage): void {
  // The other end may be closing right now; its end is handled by `disconnect`.
  if (process.connected) process.send!(message, undefined, undefined, () => {})
}

function start(service: ServiceSpec): Promise<void> {
  const log = openSync(service.logFile, 'a')
  const child = spawn(service.command, service.args, { cwd: service.cwd, stdio: ['ignore', log, log] })
  closeSync(log)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('spawn', () => {
      running.set(service.name, child)
      recordRun()
      resolve()
    })
    child.once('exit', (code, signal) => {
      running.delete(service.name)
      recordRun()
      tell({ exited: service.name, how: signal ?? `exit code ${code}` })
    })
  })
}

function signal(name: string, kind: NodeJS.Signals, untilExit: boolean): Promise<void> {
  const child = running.get(name)
  if (child === undefined) return Promise.reject(new Error(`${name} is not running`))
  return new Promise(resolve => {
    if (untilExit) child.once('exit', () => resolve())
    child.kill(kind)
    if (!untilExit) resolve()
  })
}

async function stop(): Promise<never> {
  stopping = true
  const children = [...running.values()]
  await Promise.all(
    children.map(
      child =>
        new Promise(ended => {
          child.once('exit', ended)
          child.kill('SIGKILL')
        }),
    ),
  )
  rmSync(folder!, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  process.exit(0)
}

async function handle(request: SupervisorRequest): Promise<void> {
  switch (request.op) {
    case 'start':
      return start(request.service)
    case 'signal':
      return signal(request.name, request.signal, request.untilExit)
    case 'release':
      released = true
      return
    case 'stop':
      return stop()
  }
}

process.on('message', (message: SupervisorRequest & { id: number }) => {
  handle(message).then(
    () => tell({ id: message.id }),
    (error: unknown) => tell({ id: message.id, error: error instanceof Error ? error.message : String(error) }),
  )
})
process.on('disconnect', () => {
  if (!released) void stop()
})
process.on('SIGTERM', () => void stop())
process.on('SIGINT', () => void stop())
recordRun()
