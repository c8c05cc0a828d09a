/** Instances of `kri run`, each a process of its own with its log in a file. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseMetrics, type Sample, sumOf } from './metrics-text.ts'
import { until } from './until.ts'

export interface FleetOptions {
  /** A checkout of this project, or what stands for one. */
  readonly root: string
  /** Behind `kri run`. */
  readonly args: readonly string[]
  readonly nodeArgs?: readonly string[]
  readonly logFolder: string
  readonly compileCache: string
  /** An instance has ended that nobody has told to. */
  readonly onUnexpectedExit: (what: string) => void
}

/** What an instance says of itself. */
export interface Look {
  readonly rowsInFlight: number
  readonly openTransactions: number
  /** Input and between: the partitions that it owns. */
  readonly owned: readonly { readonly topic: string; readonly partition: number }[]
}

export interface Instance {
  readonly name: string
  readonly pid: number
  /** False from its end on. */
  readonly isRunning: boolean
  log(): string
  isReady(): Promise<boolean>
  /** Undefined while it does not answer. */
  look(): Promise<Look | undefined>
  /** Sends a signal after which it may go on. */
  signal(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGUSR2'): void
  /** Sends a signal that ends it; resolves when it has ended. */
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>
}

export interface Fleet {
  /** Those that have not ended. */
  readonly running: readonly Instance[]
  start(): Instance
  /** Resolves when all are ready. */
  whenReady(signal: AbortSignal): Promise<void>
  /** Ends all at once. */
  close(): Promise<void>
}

const ANSWER_MS = 1_000
const READY_MS = 180_000
const LOG_TAIL_LINES = 8
/** Instances that end by themselves are started again so often: one that cannot run would do nothing else. */
const MAX_RESTARTS = 10

export function createFleet(options: FleetOptions): Fleet {
  const instances: Instance[] = []
  let isClosed = false
  let restarts = 0
  const fleet: Fleet = {
    get running() {
      return instances.filter(({ isRunning }) => isRunning)
    },
    start() {
      const instance = startInstance(`instance-${instances.length + 1}`, options, how => {
        if (isClosed) return
        const tail = instance.log().trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n')
        options.onUnexpectedExit(`${instance.name} ended (${how}) and nobody had told it to:\n${tail}`)
        // As whatever keeps instances running would.
        if (++restarts <= MAX_RESTARTS) fleet.start()
        else options.onUnexpectedExit(`${MAX_RESTARTS} instances were started again: no more are`)
      })
      instances.push(instance)
      return instance
    },
    async whenReady(signal) {
      const all = async () => (await Promise.all(fleet.running.map(each => each.isReady()))).every(ready => ready)
      await until('every instance is ready', all, { signal, deadlineMs: READY_MS })
    },
    async close() {
      isClosed = true
      await Promise.all(fleet.running.map(instance => instance.end('SIGKILL')))
    },
  }
  return fleet
}

function startInstance(name: string, options: FleetOptions, onUnexpectedExit: (how: string) => void): Instance {
  const { root, args, nodeArgs = [], logFolder, compileCache } = options
  const logFile = join(logFolder, `${name}.log`)
  const log = openSync(logFile, 'a')
  const child: ChildProcess = spawn(
    process.execPath,
    [
      '--conditions=kri-source',
      // It ends with this process, however that ends.
      `--import=${join(root, 'scripts/end-with-parent.mjs')}`,
      ...nodeArgs,
      join(root, 'src/cli/main.ts'),
      ...['run', 'topology.ts', ...args],
    ],
    {
      cwd: join(root, 'chaos'),
      env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
      stdio: ['ignore', log, log, 'ipc'],
    },
  )
  closeSync(log)
  let isRunning = true
  let isExpected = false
  const ended = once(child, 'exit').then(([code, signal]) => {
    isRunning = false
    const inOrder = isExpected && (code === 0 || signal === 'SIGKILL')
    if (!inOrder) onUnexpectedExit(signal ?? `exit code ${code}`)
  })
  const text = () => readFileSync(logFile, 'utf8')
  let url: string | undefined
  const get = async (path: string): Promise<Response | undefined> => {
    url ??= /"url":"([^"]+)"/.exec(text())?.[1]
    if (url === undefined || !isRunning) return undefined
    // It may be stopped, or about to end.
    return fetch(new URL(path, url), { signal: AbortSignal.timeout(ANSWER_MS) }).catch(() => undefined)
  }
  const metrics = async () => {
    const answer = await get('/metrics')
    return answer?.text().then(parseMetrics, () => undefined)
  }
  return {
    name,
    pid: child.pid!,
    get isRunning() {
      return isRunning
    },
    log: text,
    async isReady() {
      const answer = await get('/readyz')
      await answer?.body?.cancel()
      return answer?.status === 200
    },
    async look() {
      const samples = await metrics()
      return samples === undefined ? undefined : lookAt(samples)
    },
    signal: signal => void child.kill(signal),
    async end(signal) {
      isExpected = true
      child.kill(signal)
      await ended
    },
  }
}

function lookAt(samples: readonly Sample[]): Look {
  const owned = samples
    .filter(({ name }) => name === 'kri_lag_records')
    .map(({ labels }) => ({ topic: labels.topic!, partition: Number(labels.partition) }))
  return {
    rowsInFlight: sumOf(samples, 'kri_in_flight_rows'),
    openTransactions: sumOf(samples, 'kri_transactions_open'),
    owned,
  }
}
