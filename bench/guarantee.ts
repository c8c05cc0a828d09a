/**
 * What exactly-once costs: the small model under both guarantees, on the same records, in pairs of processes; its latency as a
 * consumer sees it, and what it uses while nothing comes. On one broker, and on three that keep every record three times.
 */
import { join } from 'node:path'
import { startCluster } from '../src/cluster/cluster.ts'
import { deadLetterTopics } from '../src/kafka/topic-names.ts'
import type { RunSettings } from '../src/run-settings.ts'
import { loadTopology } from '../src/topology-module.ts'
import { startVariant } from './child.ts'
import { benchLogger, connect } from './connect.ts'
import { against, type Figure, median, round } from './figures.ts'
import { measureIdle } from './idle.ts'
import { createTopic, createTopicsOf, preload, recordsIn, type TopicShape, tensorRows } from './input.ts'
import { measureLatency } from './latency.ts'
import { SMALL_MLP, writeMlp } from './make-mlp.ts'
import { runPairs } from './paired.ts'
import { MAX_BATCH } from './pipeline.ts'
import { type Setting, type Subject, WrongOutput } from './setting.ts'
import type { Measured } from './variants/timed-port.ts'
import type { TopologyOrder } from './variants/topology.ts'
import type { TransactionLoop, TransactionLoopOrder } from './variants/transaction-loop.ts'

const FILE = 'bench/variants/guarantee-topology.ts'
const RECORDS = { quick: 300_000, full: 1_000_000 }
const WARM_UP = { quick: 60_000, full: 200_000 }
const PAIRS = { quick: 2, full: 6 }
const MORE_CPU_AT_4 = 1.1
/** A broker that has just started does a third of the transactions a second: its compiler takes so long. */
const COMPILED_SECONDS = 60
const P99_MS = 250
const IDLE_PERCENT = 5
const EXACTLY_ONCE: Partial<RunSettings> = { processingGuarantee: 'exactly_once' }

type By = 'source' | 'key'

interface Case extends TopicShape {
  readonly by: By
}

const CASES: readonly Case[] = [1, 3].flatMap(replicationFactor =>
  [4, 64].flatMap(partitions => (['source', 'key'] as const).map(by => ({ partitions, replicationFactor, by }))),
)

export const guarantee: readonly Subject[] = [
  ...CASES.map(each => ({
    name: `guarantee/${nameOf(each)}`,
    about: `exactly once beside at least once: ${each.partitions} partitions, ${each.replicationFactor} broker(s), by ${each.by}`,
    run: (setting: Setting) => onBrokers(each, setting, own => compare(each, own)),
  })),
  ...[4, 64].map(partitions => ({
    name: `guarantee/transactions-${partitions}`,
    about: `what the broker can do at most: ${partitions} transactional ids, each one transaction behind the other`,
    run: (setting: Setting) => transactionsAtMost(partitions, setting),
  })),
  ...[1, 3].flatMap(replicationFactor =>
    [4, 64].map(partitions => {
      const name = `guarantee/latency-${partitions}${replicationFactor === 1 ? '' : `-${replicationFactor}-brokers`}`
      const shape = { partitions, replicationFactor }
      return {
        name,
        about: `exactly once: 512 records/s over ${partitions} partitions, until a read_committed consumer has the output`,
        run: (setting: Setting) => onBrokers(shape, setting, own => visibleAfter(name, shape, own)),
      }
    }),
  ),
  ...[4, 64].map(partitions => ({
    name: `guarantee/idle-${partitions}`,
    about: `exactly once: processor time over 30 s without records, ${partitions} partitions`,
    async run(setting: Setting) {
      const shape = { partitions, replicationFactor: 1 }
      const facts = await measureIdle(setting, `guarantee-idle-${partitions}`, { shape, settings: EXACTLY_ONCE })
      const target = against(facts.percentOfCore, '<=', IDLE_PERCENT, ' % of a core')
      return [{ name: `guarantee/idle-${partitions}`, ...facts, ...target }]
    },
  })),
]

function nameOf({ partitions, replicationFactor, by }: Case): string {
  return `${partitions}-partitions-${replicationFactor}-brokers-${by}`
}

/** Starts three brokers where the case wants them. */
async function onBrokers(
  { replicationFactor }: TopicShape,
  setting: Setting,
  run: (setting: Setting) => Promise<Figure[]>,
): Promise<Figure[]> {
  if (replicationFactor === 1) return run(setting)
  const cluster = await startCluster({ brokers: 3, registry: false, own: true, logger: benchLogger })
  const port = connect(cluster.brokers, 'bench')
  try {
    return await run({ ...setting, brokers: cluster.brokers, port })
  } finally {
    await port.close()
    await cluster.stop()
  }
}

async function compare(each: Case, setting: Setting): Promise<Figure[]> {
  const { port, quick, folder, say } = setting
  const records = RECORDS[quick ? 'quick' : 'full']
  const rounds = setting.rounds ?? PAIRS[quick ? 'quick' : 'full']
  const name = `guarantee/${nameOf(each)}`
  const input = `bench.${name.replaceAll('/', '.')}.in`
  const model = join(folder, 'guarantee.onnx')
  writeMlp(model, SMALL_MLP)
  await createTopic(port, input, each)
  await preload(port, input, records, tensorRows(SMALL_MLP[0]!), each)
  const exact: Measured[] = []
  const run = (processingGuarantee: RunSettings['processingGuarantee']) => async (round: number) => {
    const out = `${input}.${processingGuarantee}-${round}`
    const parameters = { in: input, out, model, applicationId: out, partition: each.by }
    await createTopicsOf(port, await loadTopology(FILE, parameters), each)
    const measured = await startVariant<Measured>('topology', {
      ...{ brokers: setting.brokers, file: FILE, parameters, lanes: setting.lanes, maxBatch: MAX_BATCH },
      settings: { processingGuarantee },
      until: { topic: input, records, warmUp: WARM_UP[quick ? 'quick' : 'full'] },
    } satisfies TopologyOrder).result
    await requireAll(setting, out, records)
    await port.admin.deleteTopics([out])
    if (processingGuarantee === 'exactly_once' && round >= 0) exact.push(measured)
    return measured
  }
  const paired = await runPairs({ name, rounds, say, subject: run('exactly_once'), against: run('at_least_once') })
  await port.admin.deleteTopics([input])
  const facts = {
    transactionsPerSecond: round(median(exact.map(({ transactions, seconds }) => transactions / seconds))),
    sockets: median(exact.map(({ sockets }) => sockets)),
  }
  const target = each.partitions === 4 ? against(paired.cpuRatio, '<=', MORE_CPU_AT_4, ' × the processor time') : {}
  return [{ ...paired, ...facts, ...target }]
}

async function visibleAfter(name: string, shape: TopicShape, setting: Setting): Promise<Figure[]> {
  const options = { shape, settings: EXACTLY_ONCE, fullWarmUpSeconds: COMPILED_SECONDS }
  const facts = await measureLatency(setting, name.replaceAll('/', '-'), options)
  return [{ name, ...facts, ...against(facts.p99Ms, '<=', P99_MS, ' ms (p99)') }]
}

/** The shortest time in which each partition can have one: what a record waits at least, at its worst. */
async function transactionsAtMost(partitions: number, { port, quick, brokers }: Setting): Promise<Figure[]> {
  const name = `guarantee/transactions-${partitions}`
  const topic = `bench.${name.replaceAll('/', '.')}`
  await createTopic(port, topic, { partitions, replicationFactor: 1 })
  const [warmUpSeconds, seconds] = quick ? [3, 5] : [COMPILED_SECONDS, 30]
  const order: TransactionLoopOrder = { brokers, topic, partitions, warmUpSeconds, seconds }
  const { transactionsPerSecond, p50Ms, p99Ms } = await startVariant<TransactionLoop>('transaction-loop', order).result
  await port.admin.deleteTopics([topic])
  const eachEveryMs = round((1_000 * partitions) / transactionsPerSecond)
  const facts = { transactionsPerSecond: round(transactionsPerSecond), p50Ms: round(p50Ms), p99Ms: round(p99Ms) }
  return [{ name, ...facts, eachEveryMs, seconds }]
}

/** Transactions leave markers, which take offsets: the records are counted by reading them. */
async function requireAll({ port }: Setting, out: string, records: number): Promise<void> {
  const described = await port.admin.describeTopics([out])
  const ranges = Array.from({ length: described[0]!.partitions }, (_, partition) => ({
    ...{ topic: out, partition },
    ...{ from: 'earliest' as const, to: 'end' as const },
  }))
  let count = 0
  for await (const block of port.scan(ranges)) count += block.count
  if (count !== records) throw new WrongOutput(`${out} has ${count} records, expected ${records}`)
  for (const topic of deadLetterTopics('guarantee', ['infer'])) {
    const failed = await recordsIn(port, topic)
    if (failed > 0) throw new WrongOutput(`${topic} has ${failed} records, expected none`)
  }
}
