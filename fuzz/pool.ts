/** Runs a course in several processes; one that ends or hangs is a finding, and another goes on behind the guilty input. */
import { type ChildProcess, fork } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FromChild, Order } from './child.ts'
import type { Tally } from './course.ts'
import { type Fault, inputOf } from './execution.ts'
import type { Target, TargetSource } from './target.ts'

/** Far beyond what an execution may take on a machine that is busy. */
const HANG_MS = 60_000
const HEAP_MIB = 1024

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
  readonly processes: number
  readonly signal: AbortSignal
  readonly onProgress: (executions: number) => void
}

export interface PoolResult extends Tally {
  readonly findings: readonly Finding[]
  readonly seconds: number
}

export async function runPool(options: PoolOptions): Promise<PoolResult> {
  const { source, executions, processes, signal, onProgress } = options
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
        signal,
        onTally(tally) {
          tallies.set(part, tally)
          onProgress(total(tallies).executions)
        },
        onFault: found,
      })
      if (end === undefined || signal.aborted) return
      const { index, fault } = end
      found({ fault, index, bytes: inputOf(source.name, options.target, options.seed, index) })
      next = index + 1
    }
  }
  try {
    await Promise.all(
      Array.from({ length: processes }, (_, i) => runPart(i * share, Math.min(executions, (i + 1) * share))),
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
  const sorted = [...findings.values()].sort((a, b) => a.index - b.index)
  return { ...total(tallies), findings: sorted, seconds: (performance.now() - startedMs) / 1000 }
}

interface ChildOptions {
  readonly order: Order
  readonly indexFile: string
  readonly signal: AbortSignal
  readonly onTally: (tally: Tally) => void
  readonly onFault: (finding: Finding) => void
}

/** Undefined: it came to its end; else the execution that ended it. */
function runChild(options: ChildOptions): Promise<{ readonly index: number; readonly fault: Fault } | undefined> {
  const { order, indexFile, signal, onTally, onFault } = options
  const file = openSync(indexFile, 'w+')
  const child: ChildProcess = fork(new URL('./child.ts', import.meta.url), [], {
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
      }, HANG_MS)
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
    child.on('exit', (code, name) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', stop)
      const index = new Float64Array(1)
      readSync(file, new Uint8Array(index.buffer), 0, 8, 0)
      closeSync(file)
      if (isDone || signal.aborted) resolve(undefined)
      else if (isHanging) resolve({ index: index[0]!, fault: { kind: 'hang', what: `no end within ${HANG_MS} ms` } })
      else
        resolve({
          index: index[0]!,
          fault: { kind: 'crash', what: `the process ended: ${name ?? `exit code ${code}`}` },
        })
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
