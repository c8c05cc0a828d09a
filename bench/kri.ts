/** The command line as a process of its own, from the sources or built, as operators run it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { profiling } from './child.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const endWithParent = `--import=${new URL('../scripts/end-with-parent.mjs', import.meta.url)}`
/** A command that takes longer hangs. */
const DEADLINE_MS = 10 * 60_000

/** A `kri` that can be run. */
export interface Program {
  readonly name: string
  readonly node: readonly string[]
  /** A topology module that imports this very program's package. */
  topology(name: string): string
}

export const fromSources: Program = {
  name: 'sources',
  node: ['--conditions=kri-source', join(root, 'src/cli/main.ts')],
  topology: name => `topologies/${name}.ts`,
}

/** Builds the package into a folder that must not exist yet: topologies beside it find it by its name. */
export function build(folder: string): Program {
  mkdirSync(folder)
  // Types are checked elsewhere, and what is emitted is the same.
  const compile = ['-p', 'tsconfig.build.json', '--noCheck', '--outDir', join(folder, 'dist')]
  execFileSync(join(root, 'node_modules/.bin/tsc'), compile, { cwd: root, stdio: ['ignore', 2, 2] })
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  for (const part of ['package.json', 'topologies']) cpSync(join(root, part), join(folder, part), { recursive: true })
  return {
    name: 'built',
    node: [join(folder, 'dist/cli/main.js')],
    topology: name => join(folder, 'topologies', `${name}.ts`),
  }
}

/** A command that was started. Times are on the clock of the log, in milliseconds since 1970. */
export interface Kri {
  readonly child: ChildProcess
  readonly startedAt: number
  /** What it has written to standard error so far: the log. */
  log(): string
  /** Resolves when it has ended with exit code 0; rejects otherwise, with the end of its log. */
  readonly ended: Promise<{ readonly output: string; readonly seconds: number }>
}

/** Runs from the project's folder. `compileCache`: where what is compiled once is kept for the next start. */
export function startKri(program: Program, args: readonly string[], compileCache: string): Kri {
  const startedAt = Date.now()
  const child = spawn(
    process.execPath,
    [endWithParent, ...profiling(`kri-${args[0]}-${program.name}`), ...program.node, ...args],
    {
      cwd: root,
      env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
      // The channel is for its end with ours.
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    },
  )
  let log = ''
  let output = ''
  child.stderr!.setEncoding('utf8').on('data', text => {
    log += text
  })
  child.stdout!.setEncoding('utf8').on('data', text => {
    output += text
  })
  const deadline = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS)
  const ended = once(child, 'close').then(([code, signal]) => {
    clearTimeout(deadline)
    const seconds = (Date.now() - startedAt) / 1000
    if (code === 0) return { output, seconds }
    throw new Error(`kri ${args.join(' ')} ended (${signal ?? `exit code ${code}`}):\n${output}${log.slice(-4000)}`)
  })
  // Who waits for it hears of the failure.
  ended.catch(() => {})
  return { child, startedAt, log: () => log, ended }
}
