import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { eventually } from './eventually.ts'

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

/** A `kri` command as a process of its own, as operators run it. */
export interface KriProcess {
  readonly child: ChildProcess
  /** What it has written to standard error (the log) so far. */
  log(): string
  /** What it has written to standard output so far. */
  output(): string
  /** Exit code, or the signal's name. */
  readonly ended: Promise<number | string>
  /** Status of one of its health endpoints; 0 while nothing answers. */
  status(path: '/livez' | '/readyz'): Promise<number>
  /** What one of them answers now. */
  text(path: '/readyz' | '/metrics'): Promise<string>
  whenReady(deadlineMs?: number): Promise<void>
}

export function startKri(
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): KriProcess {
  const child = spawn(process.execPath, ['--conditions=kri-source', main, ...args], {
    ...options,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let log = ''
  let output = ''
  child.stdout!.setEncoding('utf8').on('data', text => {
    output += text
  })
  child.stderr!.setEncoding('utf8').on('data', text => {
    log += text
  })
  const url = () => /"url":"([^"]+)"/.exec(log)?.[1]
  const status = async (path: string) => {
    const base = url()
    if (base === undefined) return 0
    return fetch(new URL(path, base)).then(
      async response => {
        await response.body?.cancel()
        return response.status
      },
      () => 0,
    )
  }
  return {
    child,
    log: () => log,
    output: () => output,
    // Not before all of its output has come.
    ended: once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string),
    status,
    text: async path => (await fetch(new URL(path, url()))).text(),
    whenReady: (deadlineMs = 30_000) =>
      eventually('the instance is ready', async () => (await status('/readyz')) === 200, deadlineMs),
  }
}
