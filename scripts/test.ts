/**
 * `npm test [-- FILE…] [-- --test-name-pattern=TEXT] [-- --lanes=N]`: every test file in a process of its own, N side by side,
 * one Kafka cluster for all that need one, failures in full, a table at the end. Exit code 1 when anything failed, 130 after
 * Ctrl-C.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Cluster, startCluster } from '../src/cluster/cluster.ts'
import { RunInferenceError } from '../src/errors.ts'
import { createLogger } from '../src/ops/logger.ts'
import { SHARED_CLUSTER, type SharedCluster } from '../test/support/cluster.ts'
import { runTestFile, type Suite } from './run-test-file.ts'
import { selectTestFiles } from './test-files.ts'
import { lanesOf } from './test-lanes.ts'
import { laneQueues } from './test-queue.ts'
import { showSuite, showSummary } from './test-report.ts'

/** Twice what the slowest takes where the machine has other things to do. */
const FILE_TIMEOUT_MS = 600_000

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { 'test-name-pattern': { type: 'string', multiple: true }, lanes: { type: 'string' } },
})
const patterns = values['test-name-pattern'] ?? []
const wanted = values.lanes === undefined ? undefined : Number(values.lanes)
if (wanted !== undefined && !(Number.isInteger(wanted) && wanted > 0)) {
  console.error(`--lanes takes a whole number from 1, got ${JSON.stringify(values.lanes)}`)
  process.exit(2)
}
const lanes = lanesOf(availableParallelism(), totalmem(), wanted)
// Hundreds of processes import the same sources: what the first has compiled, the others read.
const compiled = mkdtempSync(join(tmpdir(), 'kri-compiled-'))
process.on('exit', () => rmSync(compiled, { recursive: true, force: true }))
// Brokers live for minutes here: compiled by the quick compiler alone they need half the processor time. Given to them by
// the environment, since some tests start clusters in processes of their own.
process.env.JDK_JAVA_OPTIONS ??= '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC'
const testEnvironment: NodeJS.ProcessEnv = { NODE_COMPILE_CACHE: compiled, ...process.env }
const suites: Suite[] = []
const interrupted = new AbortController()
let cluster: Promise<Cluster> | undefined

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupted.abort(signal))

process.chdir(root)
const started = performance.now()
const files = selectTestFiles(root, positionals)
const shared = files.takers.size > 0 ? shareCluster() : undefined
await Promise.all(laneQueues(files, lanes).map(runLane))
// One that is still starting when we are interrupted ends with this process.
await unlessInterrupted(stopCluster())
console.log(`\n${showSummary(suites, (performance.now() - started) / 1000)}`)
if (interrupted.signal.aborted) {
  console.error(`interrupted by ${interrupted.signal.reason}; what had not run is not in the table`)
  process.exit(130)
}
process.exit(suites.some(({ outcomes }) => outcomes.some(({ outcome }) => outcome === 'failed')) ? 1 : 0)

async function shareCluster(): Promise<SharedCluster> {
  const line = (text: string) => console.log(`cluster: ${text}`)
  let shown = ''
  cluster = startCluster({
    brokers: 1,
    registry: true,
    logger: createLogger('warn'),
    onProgress({ text }) {
      const step = text.split(':')[0]!
      if (step !== shown) line(step)
      shown = step
    },
  })
  try {
    const { brokers, registryUrl, local } = await cluster
    line(`${brokers.join(',')} and ${registryUrl}${local === undefined ? ' (given)' : `, logs in ${local.logFolder}`}`)
    return { brokers, registryUrl: registryUrl! }
  } catch (error) {
    // Nothing but the lack of one is a reason to skip.
    if (!(error instanceof RunInferenceError) || error.code !== 'CLUSTER_UNAVAILABLE') throw error
    line(error.message)
    return { reason: error.message }
  }
}

async function stopCluster(): Promise<void> {
  // Why there is none was told when it was tried.
  const running = await cluster?.catch(() => undefined)
  await running?.stop()
}

/** Does not wait any longer than the first Ctrl-C. */
function unlessInterrupted<T>(work: Promise<T>): Promise<T | undefined> {
  const { signal } = interrupted
  const interruption = new Promise<undefined>(resolve => {
    if (signal.aborted) resolve(undefined)
    else signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
  return Promise.race([work, interruption])
}

/** Runs the files that it gets, one at a time, and reports each when it is done. */
async function runLane(take: () => string | undefined): Promise<void> {
  for (let file = take(); file !== undefined && !interrupted.signal.aborted; file = take()) {
    const needed = files.takers.has(file) ? await unlessInterrupted(shared!) : undefined
    const suite = await runTestFile(file, {
      env: needed === undefined ? testEnvironment : { ...testEnvironment, [SHARED_CLUSTER]: JSON.stringify(needed) },
      nodeArgs: patterns.map(pattern => `--test-name-pattern=${pattern}`),
      timeoutMs: FILE_TIMEOUT_MS,
      signal: interrupted.signal,
    })
    suites.push(suite)
    console.log(showSuite(suite))
  }
}
