/**
 * Models that change while records come, on webgpu: each is loaded in a child process of its own, which takes over from the one
 * before. Every result is held against what the model that it names gives on cpu. Where there is no GPU it is a driver in
 * software, so the load is small, and what is shown is that nothing is lost, mislabelled or crashes, not how fast a GPU is.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { modelMetadataTopic, modelStatusTopic } from '../src/kafka/topic-names.ts'
import { loadTopology } from '../src/topology-module.ts'
import { withVulkan } from '../test/support/vulkan.ts'
import { startVariant } from './child.ts'
import { writeDigitModels } from './digit-models.ts'
import { type Figure, median, rangeOf, round } from './figures.ts'
import { createTopic, createTopicsOf, PLAIN_SHAPE, recordsIn } from './input.ts'
import { fromSources, type Kri, startKri } from './kri.ts'
import { untilReady } from './ready.ts'
import { type Setting, type Subject, WrongOutput } from './setting.ts'
import { latencies, publishAndWait, type Swap } from './swaps.ts'
import type { SenderOrder, Sent } from './variants/latency-sender.ts'
import { quantile } from './variants/pace.ts'
import type { RefreshReceived, RefreshReceiverOrder } from './variants/refresh-receiver.ts'

const FILE = 'bench/variants/refresh-topology.ts'
const NAME = 'refresh-webgpu'
const RECORDS_PER_SECOND = 30
const SWAPS = 20
const QUICK_SWAPS = 3
const WARM_UP_SECONDS = 10
/** From the end of a swap to the next publication: steady latency is what lies between the windows. */
const PAUSE_MS = 5_000
/** So long a run may take at most; it is over with its swaps. */
const MOST_SECONDS = 540
/** As far as numbers of a GPU may be from those of the cpu. */
const TOLERANCE = 1e-5
const WRITTEN_WITHIN_MS = 30_000
const LOOK_MS = 250

export const refreshWebgpu: Subject = {
  name: NAME,
  about: `models published under ${RECORDS_PER_SECOND} records/s on webgpu, each in a child process of its own`,
  async run(setting) {
    const { port, brokers, folder, say, quick } = setting
    const skipped = withVulkan()
    if (skipped) {
      say(`${NAME}: skipped: ${skipped}`)
      return [{ name: NAME, skipped }]
    }
    const models = await writeDigitModels(folder, false)
    const topics = { in: `bench.${NAME}.in`, out: `bench.${NAME}.out` }
    const parameters = {
      ...topics,
      model: models[0]!.metadata.modelId,
      applicationId: `bench-${NAME}`,
      provider: 'webgpu',
    }
    await createTopic(port, topics.in)
    await createTopicsOf(port, await loadTopology(FILE, parameters))
    const kri = startApplication(setting, parameters)
    const ready = await untilReady(kri)
    const pace = {
      recordsPerSecond: RECORDS_PER_SECOND,
      warmUpSeconds: WARM_UP_SECONDS,
      seconds: MOST_SECONDS - WARM_UP_SECONDS,
    }
    const notesFile = join(folder, `${NAME}-notes.bin`)
    const receiver = startVariant<RefreshReceived>('refresh-receiver', {
      ...{ brokers, topic: topics.out, notesFile, tolerance: TOLERANCE },
      ...{ records: RECORDS_PER_SECOND * MOST_SECONDS, deadlineSeconds: MOST_SECONDS },
      expected: Object.fromEntries(models.map(({ metadata, expected }) => [metadata.modelId, [...expected]])),
    } satisfies RefreshReceiverOrder)
    await receiver.ready
    const order: SenderOrder = { brokers, topic: topics.in, partitions: PLAIN_SHAPE.partitions, digits: true, ...pace }
    const sender = startVariant<Sent>('latency-sender', order)
    await delay(WARM_UP_SECONDS * 1000)

    const memory = [await memoryOf(kri)]
    const swaps: Swap[] = []
    for (let i = 0; i < (quick ? QUICK_SWAPS : SWAPS); i++) {
      await delay(PAUSE_MS)
      const swap = await publishAndWait(setting, parameters.applicationId, models[(i + 1) % models.length]!)
      swaps.push(swap)
      memory.push(await memoryOf(kri))
      const { childMiB, ownMiB } = memory.at(-1)!
      say(
        `${NAME}: swap ${i + 1}, current after ${round(swap.toMs - swap.fromMs)} ms; child ${childMiB} MiB, parent ${ownMiB} MiB`,
      )
    }
    await delay(PAUSE_MS)
    sender.stop()
    const sent = await sender.result
    await untilWritten(setting, topics.out, sent.records)
    receiver.stop()
    const received = await receiver.result
    const restarts = await ready.metric('kri_lane_restarts_total')
    kri.child.kill('SIGTERM')
    await kri.ended
    const internal = [modelMetadataTopic(parameters.applicationId), modelStatusTopic(parameters.applicationId)]
    await port.admin.deleteTopics([...Object.values(topics), ...internal])
    const lost = sent.records - received.records
    const { mislabelled } = received
    if (lost > 0 || mislabelled > 0) throw new WrongOutput(`${NAME}: ${lost} records lost, ${mislabelled} mislabelled`)
    return [{ ...facts(swaps, memory, received, notesFile), restarts, childProcesses: childPids(kri).length }]
  },
}

function startApplication({ brokers, folder }: Setting, parameters: Readonly<Record<string, string>>): Kri {
  const values = Object.entries(parameters).map(([name, value]) => `--param=${name}=${value}`)
  const flags = [`--brokers=${brokers.join()}`, '--http-port=0', '--lanes=1', `--model-roots=models,${folder}`]
  return startKri(fromSources, ['run', FILE, ...flags, ...values], join(folder, `${NAME}-compiled`))
}

/** Outputs that are lost never come: what is there when the time is over is all. */
async function untilWritten({ port }: Setting, topic: string, records: number): Promise<void> {
  const giveUpAt = performance.now() + WRITTEN_WITHIN_MS
  while ((await recordsIn(port, topic)) < records && performance.now() < giveUpAt) await delay(LOOK_MS)
}

/** Of all children that ran models, in the order of their starts. */
function childPids(kri: Kri): readonly number[] {
  const lines = kri
    .log()
    .split('\n')
    .filter(line => line.includes('a child process runs the models'))
  return lines.map(line => (JSON.parse(line) as { pid: number }).pid)
}

interface Memory {
  /** Of the child that was started last. */
  readonly childMiB: number
  readonly ownMiB: number
}

async function memoryOf(kri: Kri): Promise<Memory> {
  return { childMiB: residentMiB(childPids(kri).at(-1)!), ownMiB: residentMiB(kri.child.pid!) }
}

function residentMiB(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]
  return Math.round(Number(kibibytes) / 1024)
}

function facts(
  swaps: readonly Swap[],
  memory: readonly Memory[],
  received: RefreshReceived,
  notesFile: string,
): Figure {
  const { steady, swapping } = latencies(notesFile, RECORDS_PER_SECOND * WARM_UP_SECONDS, swaps)
  const [p99SteadyMs, p99SwapMs] = [quantile(steady, 0.99), quantile(swapping, 0.99)]
  const tookMs = swaps.map(({ fromMs, toMs }) => toMs - fromMs)
  const { records, duplicates, mislabelled, byModel } = received
  return {
    name: NAME,
    ...{ swaps: swaps.length, lost: 0, mislabelled, duplicates, records, models: Object.keys(byModel).length },
    ...{ p99Ratio: round(p99SwapMs / p99SteadyMs), p99SteadyMs: round(p99SteadyMs), p99SwapMs: round(p99SwapMs) },
    ...{ p50SteadyMs: round(quantile(steady, 0.5)), p50SwapMs: round(quantile(swapping, 0.5)) },
    ...{ recordsInWindows: swapping.length, recordsBesides: steady.length, recordsPerSecond: RECORDS_PER_SECOND },
    ...{ currentMs: round(median(tookMs)), currentMsRange: rangeOf(tookMs).map(round) },
    ...{ childMiB: memory.map(({ childMiB }) => childMiB), parentMiB: memory.map(({ ownMiB }) => ownMiB) },
  }
}
