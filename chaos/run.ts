/** One run: a calm part, a part with faults, the drain, and what the checker read. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createRandom } from '../src/testing/random.ts'
import { registerEventSchema } from './event-schemas.ts'
import { createFaults, type Fault, type FaultKind, faultOrder, INSTANCES } from './faults.ts'
import { createFleet, type Fleet } from './fleet.ts'
import { type ChaosTopics, createJudge, type Guarantee, readingOrder, topicsOf, type Verdict } from './judge.ts'
import { type Producer, startProducer } from './producer.ts'
import type { Job } from './program.ts'
import { readBack } from './read-back.ts'
import type { RunResult } from './report.ts'
import { BROKERS, compileCache, PARTITIONS, type Setup } from './setup.ts'
import { createWatch, type Partition, type Watch } from './watch.ts'

export interface RunOptions {
  /** Of the topology; no two runs on one cluster have the same. */
  readonly name: string
  /** Where the instances run from. */
  readonly root: string
  readonly guarantee: Guarantee
  readonly seconds: number
  /** It ends sooner when each kind of fault came so often. */
  readonly rounds: number
  readonly calmSeconds: number
  readonly faults: readonly FaultKind[]
  readonly seed: number
  readonly rate: number
  /** How much longer than its session an instance is stopped; milliseconds. Default 1,500 to 5,000. */
  readonly stopBeyondMs?: readonly [least: number, most: number]
}

/** The shortest that brokers grant. */
const SESSION_TIMEOUT_MS = 6_000
/** Small, so that a bound on duplicates says something. */
export const ROW_CAP = 256
/** About so many records a fetch: a partition may always hold one fetch, whatever the cap. */
const MAX_BYTES_PER_PARTITION = 8_192
/** How long the next fault waits for what piled up in the one before. */
const CATCH_UP_MS = 15_000
/** The pause between two faults. */
const PAUSE_MS = 1_000
const WARM_UP_MS = 15_000
/** What comes out while it is calm, of what is written: less, and the backlog would only grow. */
const KEPT_UP = 0.9
/** The share of what comes out while it is calm that is written from then on: the rest is for catching up. */
const LEFT_OVER = 0.6

export function instanceArgs(setup: Setup, name: string, guarantee: Guarantee): readonly string[] {
  const settings = {
    'http-port': 0,
    'session-timeout-ms': SESSION_TIMEOUT_MS,
    'max-in-flight-rows': ROW_CAP,
    'max-bytes-per-partition': MAX_BYTES_PER_PARTITION,
    'processing-guarantee': guarantee,
  }
  const flags = Object.entries(settings).flatMap(([flag, value]) => [`--${flag}`, String(value)])
  return [...setup.topologyArgs(name), ...flags]
}

export async function runChaos(options: RunOptions, setup: Setup, job: Job): Promise<RunResult> {
  const { name, root, guarantee, seconds, calmSeconds, seed, rate } = options
  const { signal, say } = job
  const topics = topicsOf(name)
  const unexpectedExits: string[] = []
  await setup.applyTopics(name)
  await using resources = new AsyncDisposableStack()
  const logFolder = join(job.folder, name)
  mkdirSync(logFolder)
  const fleet = createFleet({
    root,
    args: instanceArgs(setup, name, guarantee),
    logFolder,
    compileCache: compileCache(job.folder),
    onUnexpectedExit(what) {
      say(what)
      unexpectedExits.push(what)
    },
  })
  resources.defer(() => fleet.close())
  // The program may end in the midst of this.
  job.resources.defer(() => fleet.close())
  for (let i = 0; i < INSTANCES; i++) fleet.start()
  await fleet.whenReady(signal)

  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => {})
  const writer = setup.port.writer()
  resources.defer(() => writer.close())
  const producer = startProducer({
    ...{ writer, topic: topics.input, partitions: PARTITIONS, rate, onFailed: failed.reject },
    schema: await registerEventSchema(setup.registryUrl, topics.input, 0),
  })
  resources.defer(() => producer.halt())
  const watch = createWatch(setup.port.admin, topics, name, signal)
  const context = { options, setup, fleet, watch, producer, job }

  const course = async () => {
    await watch.untilMoved(allPartitions(topics), await watch.position())
    // What was written while everything was still cold comes out first; a machine that never gets there is told of below.
    await watch.untilLag(rate, WARM_UP_MS).catch(() => signal.throwIfAborted())
    const calm = await measured(watch, () => delay(calmSeconds * 1_000, undefined, { signal }))
    say(`calm: ${calm.throughput.toFixed(0)} records/s`)
    if (calm.throughput < rate * KEPT_UP) {
      const less = Math.max(1, Math.floor(calm.throughput * LEFT_OVER))
      say(`this machine cannot keep up with ${rate} records/s; it goes on with ${less}`)
      producer.setRate(less)
    }
    const faults: Fault[] = []
    const rough = await measured(watch, async () => {
      if (options.faults.length > 0) await strikeAll(context, faults)
      else await delay(seconds * 1_000, undefined, { signal })
      await producer.stop()
      say(`${producer.acknowledged} records are acknowledged; draining`)
      await watch.untilDrained()
    })
    return { calm, faults, rough }
  }
  const { calm, faults, rough } = await Promise.race([course(), failed.promise])
  await Promise.all(fleet.running.map(instance => instance.end('SIGTERM')))
  const verdict = await judged(options, setup, producer, job)
  return {
    ...{ guarantee, seed, seconds, rate, rowCap: ROW_CAP, kinds: options.faults, faults, unexpectedExits, verdict },
    ...{ calmThroughput: calm.throughput, faultThroughput: rough.throughput },
  }
}

interface Context {
  readonly options: RunOptions
  readonly setup: Setup
  readonly fleet: Fleet
  readonly watch: Watch
  readonly producer: Producer
  readonly job: Job
}

/** Faults, one after the other, each after the one before is over, until the time is up. */
async function strikeAll({ options, setup, fleet, watch, producer, job }: Context, faults: Fault[]): Promise<void> {
  const { signal, say } = job
  const topics = topicsOf(options.name)
  const random = createRandom(options.seed)
  const sleep = (ms: number) => delay(ms, undefined, { signal })
  let version = 0
  const strike = createFaults({
    ...{ fleet, watch, random, sleep, signal, sessionTimeoutMs: SESSION_TIMEOUT_MS },
    stopBeyondMs: options.stopBeyondMs ?? [1_500, 5_000],
    brokers: { count: BROKERS, end: setup.endBroker, start: index => setup.cluster.startBroker(index) },
    registry: {
      async takeAway() {
        const next = await registerEventSchema(setup.registryUrl, topics.input, ++version)
        await setup.cluster.killRegistry()
        producer.use(next)
      },
      giveBack: () => setup.cluster.startRegistry(),
    },
    allPartitions: allPartitions(topics),
    hasTransactions: options.guarantee === 'exactly_once',
  })
  const endAt = performance.now() + options.seconds * 1_000
  for (const kind of faultOrder(options.faults, random)) {
    if (performance.now() > endAt || faults.length >= options.rounds * options.faults.length) return
    const fault = await strike(kind)
    faults.push(fault)
    say(
      `${fault.what}: ${fault.rowsInFlight} rows in flight, ${fault.openTransactions} transactions open; ` +
        `recovered after ${fault.recoverySeconds.toFixed(1)} s`,
    )
    await fleet.whenReady(signal)
    // What piled up meanwhile; a machine that has little to spare is given less to do.
    const { rate } = producer
    producer.setRate(rate / 2)
    await watch.untilLag(rate, CATCH_UP_MS).catch(() => signal.throwIfAborted())
    producer.setRate(rate)
    await sleep(PAUSE_MS)
  }
}

/** Those that are read. */
function allPartitions({ input, between }: Pick<ChaosTopics, 'input' | 'between'>): readonly Partition[] {
  return [input, between].flatMap(topic => Array.from({ length: PARTITIONS }, (_, partition) => ({ topic, partition })))
}

/** Records a second that came out while this went on. */
async function measured(watch: Watch, work: () => Promise<unknown>): Promise<{ readonly throughput: number }> {
  const [before, startedAt] = [(await watch.progress()).done, performance.now()]
  await work()
  const { done } = await watch.progress()
  return { throughput: (done - before) / ((performance.now() - startedAt) / 1_000) }
}

async function judged(
  { name, guarantee }: RunOptions,
  setup: Setup,
  producer: Producer,
  { signal, say }: Job,
): Promise<Verdict> {
  say('reading everything back with the Java client')
  const topics = topicsOf(name)
  const judge = createJudge(guarantee, topics, producer.byKey)
  return judge.verdict(await readBack(setup.cluster.brokers, readingOrder(topics), judge.add, signal))
}
