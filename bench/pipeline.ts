/**
 * The pipeline beside its limits: topologies/raw-tensors.ts on a preloaded topic, round by round in turn with (a) our
 * port alone, (b) kafkajs as it is, (c) onnxruntime alone, (d) a loop written by hand on our port. All read the same
 * records; each writes to a fresh topic in a fresh group, in a process of its own.
 */
import { join } from 'node:path'
import { deadLetterTopics } from '../src/kafka/topic-names.ts'
import { loadTopology } from '../src/topology-module.ts'
import { startVariant } from './child.ts'
import { compareOutputs } from './compare.ts'
import { isDisturbed, whenQuiet } from './conditions.ts'
import { against, type Figure, median, ratioTo, round, speed } from './figures.ts'
import { createTopic, createTopicsOf, preload, recordsIn, tensorRows } from './input.ts'
import { MID_MLP, SMALL_MLP, writeMlp } from './make-mlp.ts'
import { rawOnnx } from './raw-onnx.ts'
import { type Setting, type Subject, WrongOutput } from './setting.ts'
import type { LoopOrder } from './variants/plain-loop.ts'
import type { CopyOrder } from './variants/port-copy.ts'
import type { Measured } from './variants/timed-port.ts'
import type { TopologyOrder } from './variants/topology.ts'

export const TOPOLOGY_FILE = 'topologies/raw-tensors.ts'
export const MAX_BATCH = 512
const PATIENCE_MS = { quick: 2_000, full: 5_000 }

interface Size {
  readonly name: 'small' | 'mid'
  readonly widths: readonly number[]
  readonly records: { readonly quick: number; readonly full: number }
  readonly timesPlainLoop: number
  readonly timesKafkajs?: number
}

const SMALL: Size = {
  name: 'small',
  widths: SMALL_MLP,
  records: { quick: 300_000, full: 2_000_000 },
  timesPlainLoop: 0.85,
  timesKafkajs: 2.5,
}
const MID: Size = {
  name: 'mid',
  widths: MID_MLP,
  records: { quick: 30_000, full: 100_000 },
  timesPlainLoop: 0.85,
}

export const pipelineSmall = subjectOf(SMALL, '2 M records of 256 B through a 64→128→10 MLP')
export const pipelineMid = subjectOf(MID, '100 k records of 3,136 B through a 784→512→256→10 MLP')

function subjectOf(size: Size, about: string): Subject {
  return { name: `pipeline/${size.name}`, about, run: setting => measure(size, setting) }
}

/** Those that read and write Kafka; onnxruntime alone does neither. */
const VARIANTS = ['topology', 'port', 'kafkajs', 'loop', 'same-records'] as const
type VariantName = (typeof VARIANTS)[number]

async function measure(size: Size, setting: Setting): Promise<Figure[]> {
  const { port, say, quick, lanes, folder } = setting
  const records = size.records[quick ? 'quick' : 'full']
  const rounds = setting.rounds ?? (quick ? 2 : 5)
  const width = size.widths[0]!
  const input = `bench.${size.name}.in`
  const model = join(folder, `${size.name}.onnx`)
  writeMlp(model, size.widths)
  await createTopic(port, input)
  say(`${size.name}: writing ${records.toLocaleString('en')} records`)
  await preload(port, input, records, tensorRows(width))

  const runs: Record<VariantName, Measured[]> = {
    topology: [],
    port: [],
    kafkajs: [],
    loop: [],
    'same-records': [],
  }
  const onnx: number[] = []
  // The broker compiles its code while it works: whoever came first would pay for that.
  await warmUp({ size, setting, input, model, records })
  let disturbed = 0
  let sameBytes = records
  for (let i = 0; i < rounds; i++) {
    const outputs = Object.fromEntries(VARIANTS.map(name => [name, `bench.${size.name}.out-${i}-${name}`]))
    for (const out of Object.values(outputs)) await createTopic(port, out)
    // Each round begins with another variant, so that none is always the first or behind the same one.
    for (let turn = 0; turn < VARIANTS.length; turn++) {
      const name = VARIANTS[(i + turn) % VARIANTS.length]!
      const busy = await whenQuiet(PATIENCE_MS[quick ? 'quick' : 'full'])
      if (isDisturbed(busy)) disturbed++
      const measured = await runVariant(name, { size, setting, input, out: outputs[name]!, model, records, round: i })
      runs[name].push(measured)
      const others = isDisturbed(busy) ? `, others used ${Math.round(busy * 100)} % of the machine before` : ''
      say(`${size.name} round ${i + 1}/${rounds} ${name}: ${round(records / measured.seconds)} records/s${others}`)
    }
    const durationMs = quick ? 800 : 2_000
    onnx.push((await rawOnnx({ file: model, width, batch: MAX_BATCH, workers: lanes, durationMs })).rowsPerSecond)
    say(`${size.name} round ${i + 1}/${rounds} onnx: ${round(onnx.at(-1)!)} rows/s`)
    for (const name of ['port', 'kafkajs', 'same-records'] as const)
      await requireCount(setting, outputs[name]!, records)
    await requireNoDeadLetters(setting)
    const compared = await compareOutputs(port, outputs.topology!, outputs.loop!)
    if (compared.rows !== records) throw new WrongOutput(`${compared.rows} rows came out of ${records}`)
    sameBytes = Math.min(sameBytes, compared.sameBytes)
    await port.admin.deleteTopics(Object.values(outputs))
  }
  await port.admin.deleteTopics([input])
  return report(size, records, runs, onnx, { disturbed, sameBytes, rounds })
}

interface RoundOrder {
  readonly size: Size
  readonly setting: Setting
  readonly input: string
  readonly out: string
  readonly model: string
  readonly records: number
  readonly round: number
}

async function warmUp(order: Omit<RoundOrder, 'out' | 'round'>): Promise<void> {
  const { port } = order.setting
  const out = `bench.${order.size.name}.out-warm-up`
  await createTopic(port, out)
  await runVariant('same-records', { ...order, out, round: -1 })
  await port.admin.deleteTopics([out])
}

async function runVariant(name: VariantName, order: RoundOrder): Promise<Measured> {
  const { size, setting, input, out, model, records, round } = order
  const { brokers, lanes, provenance } = setting
  const width = size.widths[0]!
  const group = `bench-${size.name}-${round}-${name}`
  if (name === 'topology') {
    return runTopology(setting, {
      file: TOPOLOGY_FILE,
      parameters: {
        in: input,
        out,
        model,
        width: String(width),
        applicationId: group,
        maxBatch: String(MAX_BATCH),
        provenance: String(provenance),
      },
      lanes,
      maxBatch: MAX_BATCH,
      until: { topic: input, records },
    })
  }
  const common = { brokers, groupId: group, in: input, out, records }
  // As long as the header of the pipeline's records on average.
  const header = provenance ? { header: ['kri-source', `${input}/0/${Math.floor(records / 8)}`] as const } : {}
  if (name === 'loop' || name === 'same-records') {
    const plain: LoopOrder = { ...common, model, width, batch: MAX_BATCH }
    const loop = name === 'loop' ? plain : { ...plain, sameRecords: header }
    return startVariant<Measured>('plain-loop', loop).result
  }
  const copy: CopyOrder = { ...common, valueBytes: size.widths.at(-1)! * 4, ...header }
  return startVariant<Measured>(name === 'port' ? 'port-copy' : 'kafkajs-copy', copy).result
}

/** Creates the topics of a topology and runs it until its input is committed; `checkout`: by another copy of this repository. */
export async function runTopology(
  setting: Setting,
  order: Omit<TopologyOrder, 'brokers'>,
  checkout?: string,
): Promise<Measured> {
  await createTopicsOf(setting.port, await loadTopology(order.file, order.parameters))
  return startVariant<Measured>('topology', { ...order, brokers: setting.brokers } satisfies TopologyOrder, checkout)
    .result
}

async function requireCount({ port }: Setting, topic: string, records: number): Promise<void> {
  const count = await recordsIn(port, topic)
  if (count !== records) throw new WrongOutput(`${topic} has ${count} records, expected ${records}`)
}

export async function requireNoDeadLetters({ port }: Setting): Promise<void> {
  for (const topic of deadLetterTopics('raw-tensors', ['infer'])) {
    const count = await recordsIn(port, topic)
    if (count > 0) throw new WrongOutput(`${topic} has ${count} records, expected none`)
  }
}

/** What the process used; less disturbed by others on the machine than the time that passed. */
export function costOf(runs: readonly Measured[], records: number): { cores: number; cpuMicrosPerRecord: number } {
  return {
    cores: round(median(runs.map(run => run.cpuSeconds / run.seconds))),
    cpuMicrosPerRecord: round(median(runs.map(run => (run.cpuSeconds * 1e6) / records))),
  }
}

function report(
  size: Size,
  records: number,
  runs: Readonly<Record<VariantName, readonly Measured[]>>,
  onnx: readonly number[],
  facts: object,
): Figure[] {
  const speeds = (name: VariantName) => runs[name].map(({ seconds }) => records / seconds)
  const cost = (name: VariantName) => costOf(runs[name], records)
  const subject = speeds('topology')
  const name = `pipeline/${size.name}`
  const toLoop = ratioTo(subject, speeds('loop'))
  const toKafkajs = ratioTo(subject, speeds('kafkajs'))
  const kafkajsTarget = size.timesKafkajs === undefined ? {} : against(toKafkajs.ratio!, '>=', size.timesKafkajs)
  return [
    { name, ...speed(subject), ratio: toLoop.ratio!, ...cost('topology'), records, ...facts },
    {
      name: `${name}/a-port-alone`,
      ...speed(speeds('port')),
      ...ratioTo(subject, speeds('port')),
      ...cost('port'),
    },
    { name: `${name}/b-kafkajs`, ...speed(speeds('kafkajs')), ...toKafkajs, ...cost('kafkajs'), ...kafkajsTarget },
    { name: `${name}/c-onnxruntime`, ...speed(onnx), ...ratioTo(subject, onnx) },
    {
      name: `${name}/d-plain-loop`,
      ...speed(speeds('loop')),
      ...toLoop,
      ...cost('loop'),
      ...against(toLoop.ratio!, '>=', size.timesPlainLoop),
    },
    {
      name: `${name}/d-same-records`,
      ...speed(speeds('same-records')),
      ...ratioTo(subject, speeds('same-records')),
      ...cost('same-records'),
    },
  ]
}
