/**
 * Models that change under load: 2,000 digits a second through `kri run`, while its model is published anew again and again,
 * three small ones and one of 120 MiB in turn. Every result is held against what the model that it names gives; latency in
 * the windows around a swap against latency besides. Three swaps find a canary at work: one of these makes it the stable model.
 * Then as many again without load, for the memory that stays: under load V8's heap grows for a quarter of an hour, swaps or not.
 */
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { modelMetadataTopic, modelStatusTopic } from '../src/kafka/topic-names.ts'
import { loadTopology } from '../src/topology-module.ts'
import { startVariant } from './child.ts'
import { type DigitModel, writeDigitModels } from './digit-models.ts'
import { against, type Figure, round } from './figures.ts'
import { createTopic, createTopicsOf, PLAIN_SHAPE } from './input.ts'
import { fromSources, type Kri, startKri } from './kri.ts'
import { untilReady } from './ready.ts'
import { type Setting, type Subject, WrongOutput } from './setting.ts'
import { latencies, promoteAndWait, publishAndWait, type Swap, startCanary } from './swaps.ts'
import type { SenderOrder, Sent } from './variants/latency-sender.ts'
import { quantile } from './variants/pace.ts'
import type { RefreshReceived, RefreshReceiverOrder } from './variants/refresh-receiver.ts'

const FILE = 'bench/variants/refresh-topology.ts'
const RECORDS_PER_SECOND = 2_000
const SWAPS = 20
const QUIET_SWAPS = 50
/** Swaps that find a canary at work; the last of them makes it the stable model. */
const CANARY_SWAPS = [3, 9, 15]
const CANARY_MS = 1_000
const QUICK = { swaps: 4, quietSwaps: 4, canarySwaps: [1, 2] }
const WARM_UP_SECONDS = 10
const WARM_UP_RECORDS = RECORDS_PER_SECOND * WARM_UP_SECONDS
/** From one publication to the next; steady latency is what lies between the windows. */
const EVERY_MS = 5_000
const TOLERANCE = 1e-6
const MOST_P99_RATIO = 2
const MOST_GROWTH_MIB = 20
/** One turn through all models: with the large one resident memory is another. */
const TURN = 4

export const refresh: Subject = {
  name: 'refresh',
  about: 'models published under 2,000 records/s: lost, mislabelled, latency of swaps, memory that stays',
  async run(setting) {
    const { port, brokers, folder, say, quick } = setting
    const plan = quick ? QUICK : { swaps: SWAPS, quietSwaps: QUIET_SWAPS, canarySwaps: CANARY_SWAPS }
    const models = await writeDigitModels(folder)
    const [first] = models as [DigitModel, ...DigitModel[]]
    const applicationId = 'bench-refresh'
    const topics = { in: 'bench.refresh.in', out: 'bench.refresh.out' }
    const parameters = { ...topics, model: first.metadata.modelId, applicationId }
    await createTopic(port, topics.in)
    await createTopicsOf(port, await loadTopology(FILE, parameters))
    const kri = startApplication(setting, parameters)
    const ready = await untilReady(kri)
    // The first transaction of a cluster has its broker make the 50 partitions of their log: once in its life, and no part of a swap.
    await publishAndWait(setting, applicationId, first)
    const seconds = (EVERY_MS * (plan.swaps + 1)) / 1000
    const records = RECORDS_PER_SECOND * (WARM_UP_SECONDS + seconds)
    const notesFile = join(folder, 'refresh-notes.bin')
    const receiver = startVariant<RefreshReceived>('refresh-receiver', {
      ...{ brokers, topic: topics.out, records, notesFile, deadlineSeconds: WARM_UP_SECONDS + seconds + 60 },
      tolerance: TOLERANCE,
      expected: Object.fromEntries(models.map(({ metadata, expected }) => [metadata.modelId, [...expected]])),
    } satisfies RefreshReceiverOrder)
    await receiver.ready
    const sender = startVariant<Sent>('latency-sender', {
      ...{ brokers, topic: topics.in, partitions: PLAIN_SHAPE.partitions, digits: true },
      ...{ recordsPerSecond: RECORDS_PER_SECOND, warmUpSeconds: WARM_UP_SECONDS, seconds },
    } satisfies SenderOrder)
    await delay(WARM_UP_SECONDS * 1000)

    const swaps: Swap[] = []
    const starts: Swap[] = []
    const resident: number[] = []
    const publish = async (i: number) => {
      const model = models[(i + 1) % models.length]!
      const isCanary = plan.canarySwaps.includes(i)
      const isPromoted = isCanary && i === plan.canarySwaps.at(-1)
      if (isCanary) {
        const candidate = isPromoted ? model : models.find(each => each !== model && !each.isLarge)!
        const start = await startCanary(setting, applicationId, candidate)
        starts.push(start)
        say(`refresh: a canary, current after ${Math.round(start.toMs - start.fromMs)} ms`)
        await delay(CANARY_MS)
      }
      const swap = isPromoted
        ? await promoteAndWait(setting, applicationId)
        : await publishAndWait(setting, applicationId, model)
      resident.push(Math.round((await ready.metric('process_resident_memory_bytes')) / 2 ** 20))
      const tookMs = Math.round(swap.toMs - swap.fromMs)
      say(
        `refresh: swap ${i + 1}, ${isPromoted ? 'promoted' : model.isLarge ? 'large' : 'small'}, current after ${tookMs} ms, ${resident.at(-1)} MiB`,
      )
      return swap
    }
    for (let i = 0; i < plan.swaps; i++) {
      const next = delay(EVERY_MS)
      swaps.push(await publish(i))
      await next
    }
    const [sent, received] = await Promise.all([sender.result, receiver.result])
    for (let i = plan.swaps; i < plan.swaps + plan.quietSwaps; i++) await publish(i)
    const lost = sent.records - received.records
    const { mislabelled, duplicates, byModel } = received
    const dropped = await ready.metric('kri_records_lost_total')
    kri.child.kill('SIGTERM')
    await kri.ended
    await port.admin.deleteTopics([
      ...Object.values(topics),
      modelMetadataTopic(applicationId),
      modelStatusTopic(applicationId),
    ])
    if (lost > 0 || mislabelled > 0) throw new WrongOutput(`refresh: ${lost} records lost, ${mislabelled} mislabelled`)
    return report({ swaps, starts, resident, lost, mislabelled, duplicates, byModel, dropped, models }, notesFile)
  },
}

function startApplication({ brokers, folder }: Setting, parameters: Readonly<Record<string, string>>): Kri {
  const values = Object.entries(parameters).map(([name, value]) => `--param=${name}=${value}`)
  const flags = [`--brokers=${brokers.join()}`, '--http-port=0', `--model-roots=models,${folder}`]
  return startKri(fromSources, ['run', FILE, ...flags, ...values], join(folder, 'refresh-compiled'))
}

interface Course extends Pick<RefreshReceived, 'mislabelled' | 'duplicates' | 'byModel'> {
  readonly swaps: readonly Swap[]
  /** Of canaries. */
  readonly starts: readonly Swap[]
  readonly resident: readonly number[]
  readonly lost: number
  readonly dropped: number
  readonly models: readonly DigitModel[]
}

function report(course: Course, notesFile: string): Figure[] {
  const { swaps, starts, resident, lost, mislabelled, duplicates, byModel, dropped, models } = course
  const { steady, swapping } = latencies(notesFile, WARM_UP_RECORDS, [...swaps, ...starts])
  const [p99SteadyMs, p99SwapMs] = [quantile(steady, 0.99), quantile(swapping, 0.99)]
  const p99Ratio = round(p99SwapMs / p99SteadyMs)
  const quiet = resident.slice(swaps.length)
  const rssGrowthMiB = Math.min(...quiet.slice(-TURN)) - Math.min(...quiet.slice(0, TURN))
  const swapsTo = (isLarge: boolean) => swaps.filter((_, i) => models[(i + 1) % models.length]!.isLarge === isLarge)
  const tookMs = (isLarge: boolean) => swapsTo(isLarge).map(({ fromMs, toMs }) => toMs - fromMs)
  const p99Of = (isLarge: boolean) =>
    round(quantile(latencies(notesFile, WARM_UP_RECORDS, swapsTo(isLarge)).swapping, 0.99))
  return [
    {
      name: 'refresh',
      ...{ swaps: swaps.length, canarySwaps: starts.length, lost, mislabelled, duplicates, p99Ratio, rssGrowthMiB },
      ...{ p99SteadyMs: round(p99SteadyMs), p99SwapMs: round(p99SwapMs) },
      ...{ p99ToSmallMs: p99Of(false), p99ToLargeMs: p99Of(true), recordsOfLostPartitions: dropped },
      ...{ smallCurrentMs: round(Math.max(...tookMs(false))), largeCurrentMs: round(Math.max(...tookMs(true))) },
      ...{ recordsPerSecond: RECORDS_PER_SECOND, models: Object.keys(byModel).length },
      ...against(p99Ratio, '<=', MOST_P99_RATIO, ' × the steady p99'),
    },
    {
      name: 'refresh/memory',
      ...{ swaps: quiet.length, rssGrowthMiB, residentMiB: quiet.at(-1)!, mostMiB: Math.max(...resident) },
      ...against(rssGrowthMiB, '<=', MOST_GROWTH_MIB, ' MiB over 50 swaps without load'),
    },
  ]
}
