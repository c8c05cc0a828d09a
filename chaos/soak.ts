/** `npm run soak`: whether memory, file descriptors and lag stay where they are at half load; see README.md. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Sampled } from './drift.ts'
import { registerEventSchema } from './event-schemas.ts'
import { INSTANCES } from './faults.ts'
import { createFleet, type Instance } from './fleet.ts'
import { liveHeaps } from './heap-trace.ts'
import { topicsOf } from './judge.ts'
import { type Producer, startProducer } from './producer.ts'
import { type Job, program, ROOT } from './program.ts'
import { instanceArgs } from './run.ts'
import { compileCache, PARTITIONS, setUp } from './setup.ts'
import { parseSoakFlags, SOAK_HELP, type SoakFlags } from './soak-flags.ts'
import { soakReport } from './soak-report.ts'
import { until } from './until.ts'
import { createWatch, type Watch } from './watch.ts'

const NAME = 'soak'
const COLLECTING = ['--trace-gc', '--expose-gc', `--import=${join(ROOT, 'chaos/collect-on-signal.mjs')}`]
const SAMPLE_MS = 5_000
/** How often each thread of each instance collects all of its heap, and how long it is given for that. */
const COLLECT_MS = 60_000
const COLLECTED_MS = 1_000
/** What the load at most is told from: how long they take to come out. */
const PROBE_RECORDS = 12_000
const PROBE_RATE = 20_000
const PROBE_DEADLINE_MS = 120_000

process.chdir(ROOT)
await program('npm run soak', SOAK_HELP, parseSoakFlags, soak)

async function soak(flags: SoakFlags, job: Job): Promise<boolean> {
  const { signal, resources, say, folder } = job
  const setup = await setUp({ ...job, root: ROOT })
  await setup.applyTopics(NAME)
  const logFolder = join(folder, NAME)
  mkdirSync(logFolder)
  const exits: string[] = []
  const fleet = createFleet({
    ...{ root: ROOT, args: instanceArgs(setup, NAME, flags.guarantee), nodeArgs: COLLECTING, logFolder },
    compileCache: compileCache(folder),
    onUnexpectedExit: what => {
      say(what)
      exits.push(what)
    },
  })
  resources.defer(() => fleet.close())
  for (let i = 0; i < INSTANCES; i++) fleet.start()
  await fleet.whenReady(signal)
  const { input } = topicsOf(NAME)
  const failed = Promise.withResolvers<never>()
  const writer = setup.port.writer()
  resources.defer(() => writer.close())
  const producer = startProducer({
    ...{ writer, topic: input, partitions: PARTITIONS, rate: PROBE_RATE, onFailed: failed.reject },
    schema: await registerEventSchema(setup.registryUrl, input, 0),
  })
  resources.defer(() => producer.halt())
  const watch = createWatch(setup.port.admin, topicsOf(NAME), NAME, signal)

  const course = async () => {
    const capacity = await capacityOf(producer, watch, signal)
    const rate = flags.rate ?? Math.max(1, Math.floor(capacity / 2))
    say(`${capacity.toFixed(0)} records/s come through at most; it goes on with ${rate} for ${flags.minutes} minutes`)
    producer.setRate(rate)
    const samples = await sampled(flags.minutes, fleet.running, watch, job)
    await producer.stop()
    await watch.untilDrained()
    return { capacity, rate, samples }
  }
  const { capacity, rate, samples } = await Promise.race([course(), failed.promise])
  const heaps = fleet.running.map(({ log }) => liveHeaps(log()))
  writeFileSync(join(logFolder, 'samples.json'), JSON.stringify({ ...samples, heaps }))
  const { minutes, guarantee } = flags
  const report = soakReport({ minutes, guarantee, capacity, rate, ...samples, heaps, unexpectedExits: exits.length })
  process.stdout.write(flags.json ? `${JSON.stringify(report.json)}\n` : `${report.text}\n`)
  return report.problems.length === 0
}

/** Records a second that come through when there are always more. */
async function capacityOf(producer: Producer, watch: Watch, signal: AbortSignal): Promise<number> {
  const startedAt = performance.now()
  const isWritten = () => producer.acknowledged >= PROBE_RECORDS
  await until('the probe is written', isWritten, { signal, deadlineMs: PROBE_DEADLINE_MS, everyMs: 10 })
  producer.setRate(0)
  await watch.untilDrained()
  return producer.acknowledged / ((performance.now() - startedAt) / 1_000)
}

export interface SoakSamples {
  /** Records behind, of all partitions together. */
  readonly lag: readonly Sampled[]
  /** Of each instance: bytes of memory behind full collections of all heaps. */
  readonly collected: readonly (readonly Sampled[])[]
  /** Of each instance: bytes of memory at any time. */
  readonly resident: readonly (readonly Sampled[])[]
  /** Of each instance: open file descriptors. */
  readonly descriptors: readonly (readonly Sampled[])[]
}

async function sampled(
  minutes: number,
  instances: readonly Instance[],
  watch: Watch,
  { signal, say }: Job,
): Promise<SoakSamples> {
  const lag: Sampled[] = []
  const collected = instances.map((): Sampled[] => [])
  const resident = instances.map((): Sampled[] => [])
  const descriptors = instances.map((): Sampled[] => [])
  const startedAt = performance.now()
  const seconds = () => (performance.now() - startedAt) / 1_000
  const noteMemory = (of: readonly Sampled[][]) => {
    for (const [i, { pid, isRunning }] of instances.entries())
      if (isRunning) of[i]!.push({ at: seconds(), value: residentBytes(pid) })
  }
  let collections = 0
  while (seconds() < minutes * 60) {
    await delay(SAMPLE_MS, undefined, { signal })
    lag.push({ at: seconds(), value: (await watch.progress()).lag })
    noteMemory(resident)
    for (const [i, { pid, isRunning }] of instances.entries())
      if (isRunning) descriptors[i]!.push({ at: seconds(), value: readdirSync(`/proc/${pid}/fd`).length })
    if (Math.floor((seconds() * 1_000) / COLLECT_MS) === collections) continue
    collections++
    for (const instance of instances) instance.signal('SIGUSR2')
    await delay(COLLECTED_MS, undefined, { signal })
    noteMemory(collected)
    say(
      `minute ${collections}: lag ${lag.at(-1)!.value}, memory ${collected.map(each => megabytes(each)).join(', ')} MB`,
    )
  }
  return { lag, collected, resident, descriptors }
}

function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1_024
}

function megabytes(samples: readonly Sampled[]): string {
  return ((samples.at(-1)?.value ?? 0) / 2 ** 20).toFixed(0)
}
