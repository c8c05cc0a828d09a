/** Each variant runs in a process of its own: a fresh heap, nothing compiled or patched by the one before. */
import { fork } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export type ToChild = { type: 'order'; order: unknown } | { type: 'usage' } | { type: 'stop' }
export type FromChild = { type: 'ready' } | { type: 'usage'; cpuMs: number } | { type: 'result'; result: unknown }

export interface Variant<R> {
  /** Resolves when the variant says that it is at work. */
  readonly ready: Promise<void>
  /** Rejects when the process ends without one. */
  readonly result: Promise<R>
  /** Processor time of the child so far. */
  cpuMs(): Promise<number>
  stop(): void
}

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** A variant that takes longer hangs. */
const DEADLINE_MS = 10 * 60_000

/** Where to put CPU profiles of the children; undefined: none. */
let profileFolder: string | undefined

export function profileInto(folder: string): void {
  profileFolder = folder
}

/** Arguments of Node for a process that is measured. */
export function profiling(name: string): readonly string[] {
  return profileFolder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}/${name}`]
}

/** Starts `variants/<name>.ts` with this order; `checkout`: that of another copy of this repository, in its folder. */
export function startVariant<R>(name: string, order: object, checkout = ROOT): Variant<R> {
  const file = join(checkout, 'bench/variants', `${name}.ts`)
  const child = fork(file, [], { cwd: checkout, execArgv: ['--conditions=kri-source', ...profiling(name)] })
  const ready = Promise.withResolvers<void>()
  const result = Promise.withResolvers<R>()
  let usage = Promise.withResolvers<number>()
  let answer: R | undefined
  const deadline = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS)
  const send = (message: ToChild) => void child.send(message)

  child.on('message', (message: FromChild) => {
    if (message.type === 'ready') ready.resolve()
    else if (message.type === 'usage') usage.resolve(message.cpuMs)
    else answer = message.result as R
  })
  child.on('exit', (code, signal) => {
    clearTimeout(deadline)
    const error = new Error(`variant ${name} ended (${signal ?? `exit code ${code}`}) without a result`)
    ready.reject(error)
    usage.reject(error)
    if (answer === undefined) result.reject(error)
    else result.resolve(answer)
  })
  // Who waits for one of them hears of the failure; the others must not end this process.
  for (const { promise } of [ready, result, usage]) promise.catch(() => {})
  send({ type: 'order', order })

  return {
    ready: ready.promise,
    result: result.promise,
    cpuMs() {
      usage = Promise.withResolvers()
      send({ type: 'usage' })
      return usage.promise
    },
    stop: () => send({ type: 'stop' }),
  }
}
