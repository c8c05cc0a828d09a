/** Runs a course in several processes; one that ends or hangs is a finding, and another goes on behind the guilty input. */
import { type ChildProcess, fork } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Tally } from './course.ts'
import { type Fault, inputOf } from './execution.ts'
import type { FromChild, Order } from './part.ts'
import type { Target, TargetSource } from './target.ts'

/** Far beyond what an execution may take on a machine that is busy. */
const HANG_MS = 60_000
const HEAP_MIB = 1024
const NOT_BEGUN = -1

export interface Finding {
  readonly fault: Fault
  readonly index: number
  readonly bytes: Buffer
}

export interface PoolOptions {
  readonly source: TargetSource
  readonly target: Target
  readonly seed: number
  readonly executions: number
  /** Index of the first one; default 0. */
  readonly first?: number
  readonly processes: number
  readonly signal: AbortSignal
  readonly onProgress: (executions: number) => void
  /** What the processes run, which knows the target by its name. Default: `child.ts`. */
  readonly childUrl?: URL
  /** How long nothing is heard of a process that hangs. Default: a minute. */
  readonly hangMs?: number
}

export interface PoolResult extends Tally {
  readonly findings: readonly Finding[]
  readonly seconds: number
}

/** Rejects when a process ends before it has begun with anything: no input is guilty of that. */
export async function runPool(options: PoolOptions): Promise<PoolResult> {
  const { source, executions, first = 0, processes, onProgress } = options
  const failed = new AbortController()
  const signal = AbortSignal.any([options.signal, failed.signal])
  const startedMs = performance.now()
  const findings = new Map<string, Finding>()
  const tallies = new Map<number, Tally>()
  const folder = mkdtempSync(join(tmpdir(), 'kri-fuzz-'))
  const share = Math.ceil(executions / processes)
  let parts = 0
  const found = (finding: Finding) => {
    const { kind, what } = finding.fault
    const known = findings.get(`${kind} ${what}`)
    // Of the same fault, the one that comes first in the course, whichever process was faster.
    if (known === undefined || finding.index < known.index) findings.set(`${kind} ${what}`, finding)
  }
  const runPart = async (from: number, to: number): Promise<void> => {
    for (let next = from; next < to && !signal.aborted; ) {
      const part = parts++
      const end = await runChild({
        order: { target: source.name, seed: options.seed, from: next, to },
        indexFile: join(folder, String(part)),
        childUrl: options.childUrl ?? new URL('./child.ts', import.meta.url),
        hangMs: options.hangMs ?? HANG_MS,
        signal,
        onTally(tally) {
          tallies.set(part, tally)
          onProgress(total(tallies).executions)
        },
        onFault: found,
      })
      if (end === undefined || signal.aborted) return
      const { index, fault } = end
      if (index === NOT_BEGUN) throw new Error(`${source.name}, before its first execution: ${fault.what}`)
      found({ fault, index, bytes: inputOf(source.name, options.target, options.seed, index) })
      next = index + 1
    }
  }
  try {
    await Promise.all(
      Array.from({ length: processes }, (_, i) =>
        runPart(first + i * share, first + Math.min(executions, (i + 1) * share)),
      ),
    )
  } finally {
    failed.abort()
    rmSync(folder, { recursive: true })
  }
  const sorted = [...findings.values()].sort((a, b) => a.index - b.index)
  return { ...total(tallies), findings: sorted, seconds: (performance.now() - startedMs) / 1000 }
}

interface ChildOptions {
  readonly order: Order
  readonly indexFile: string
  readonly childUrl: URL
  readonly hangMs: number
  readonly signal: AbortSignal
  readonly onTally: (tally: Tally) => void
  readonly onFault: (finding: Finding) => void
}

/** Undefined: it came to its end; else the execution that ended it. */
function runChild(options: ChildOptions): Promise<{ readonly index: number; readonly fault: Fault } | undefined> {
  const { order, indexFile, childUrl, hangMs, signal, onTally, onFault } = options
  const file = openSync(indexFile, 'w+')
  const index = Float64Array.of(NOT_BEGUN)
  const indexBytes = new Uint8Array(index.buffer)
  writeSync(file, indexBytes, 0, indexBytes.length, 0)
  const child: ChildProcess = fork(childUrl, [], {
    execArgv: ['--conditions=kri-source', `--max-old-space-size=${HEAP_MIB}`],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc', file],
  })
  return new Promise(resolve => {
    let isDone = false
    let isHanging = false
    let timer: NodeJS.Timeout | undefined
    const stop = () => child.kill('SIGKILL')
    const watch = () => {
      clearTimeout(timer)
      timer = setTimeout(() => {
        isHanging = true
        stop()
      }, hangMs)
    }
    signal.addEventListener('abort', stop)
    child.on('message', (message: FromChild) => {
      watch()
      if (message.type === 'fault') {
        onFault({ ...message, bytes: Buffer.from(message.base64, 'base64') })
        return
      }
      onTally(message.tally)
      isDone = message.type === 'done'
    })
    // Not at its exit: what it has told may still be on its way.
    child.on('close', (code, name) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', stop)
      readSync(file, indexBytes, 0, indexBytes.length, 0)
      closeSync(file)
      const fault: Fault = isHanging
        ? { kind: 'hang', what: `no end within ${hangMs} ms` }
        : { kind: 'crash', what: `the process ended: ${name ?? `exit code ${code}`}` }
      resolve(isDone || signal.aborted ? undefined : { index: index[0]!, fault })
    })
    watch()
    child.send(order)
  })
}

function total(tallies: ReadonlyMap<number, Tally>): Tally {
  const sum: Tally = { executions: 0, taken: 0, refused: {} }
  for (const { executions, taken, refused } of tallies.values()) {
    sum.executions += executions
    sum.taken += taken
    for (const [code, count] of Object.entries(refused)) sum.refused[code] = (sum.refused[code] ?? 0) + count
  }
  return sum
}
