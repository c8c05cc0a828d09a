/**
 * What a process of its own costs: the mid model in a worker thread and in a child process, by turns; through the whole
 * pipeline, and through a lane alone.
 */
import { join } from 'node:path'
import { float32 } from '../src/kafka/tensor-codec.ts'
import type { Isolation } from '../src/models/executor.ts'
import { createExecutor } from '../src/models/executors.ts'
import { modelSpecOf } from '../src/models/model-handler.ts'
import { onnx } from '../src/models/onnx-handler.ts'
import { systemClock } from '../src/ops/clock.ts'
import { DEFAULT_RUN_SETTINGS } from '../src/run-settings.ts'
import { isDisturbed, whenQuiet } from './conditions.ts'
import { benchLogger } from './connect.ts'
import { against, type Figure, median, ratioTo, round, speed } from './figures.ts'
import { createTopic, preload, recordsIn, tensorRows } from './input.ts'
import { MID_MLP, writeMlp } from './make-mlp.ts'
import { pair } from './pair.ts'
import { MAX_BATCH, requireNoDeadLetters, runTopology, TOPOLOGY_FILE } from './pipeline.ts'
import { pump } from './pump.ts'
import { type Setting, type Subject, WrongOutput } from './setting.ts'
import type { Measured } from './variants/timed-port.ts'

const IN = 'bench.isolation.in'
const WIDTH = MID_MLP[0]
const TARGET = 0.8

export const isolation: Subject = {
  name: 'isolation',
  about: 'the mid model in a child process beside a worker thread',
  async run(setting) {
    const { port, quick, say, folder } = setting
    const rounds = setting.rounds ?? (quick ? 2 : 6)
    const records = quick ? 30_000 : 100_000
    const model = join(folder, 'isolation.onnx')
    writeMlp(model, MID_MLP)
    const lanes = { thread: [] as number[], process: [] as number[] }
    for (let i = 0; i < rounds; i++) {
      const [inThread, inProcess] = await pair(
        i,
        () => throughLane('thread', model, quick ? 800 : 2_000),
        () => throughLane('process', model, quick ? 800 : 2_000),
      )
      lanes.thread.push(inThread)
      lanes.process.push(inProcess)
    }
    await createTopic(port, IN)
    await preload(port, IN, records, tensorRows(WIDTH))
    const runs = { thread: [] as Measured[], process: [] as Measured[] }
    let disturbed = 0
    const measured = async (kind: Isolation, i: number): Promise<Measured> => {
      if (isDisturbed(await whenQuiet(quick ? 2_000 : 5_000))) disturbed++
      const result = await throughPipeline(setting, kind, { model, records, round: i })
      say(`isolation round ${i + 1}/${rounds} ${kind}: ${round(records / result.seconds)} records/s`)
      return result
    }
    // Whoever comes first pays for what the broker compiles.
    await throughPipeline(setting, 'thread', { model, records, round: -1 })
    for (let i = 0; i < rounds; i++) {
      const [inThread, inProcess] = await pair(
        i,
        () => measured('thread', i),
        () => measured('process', i),
      )
      runs.thread.push(inThread)
      runs.process.push(inProcess)
    }
    await port.admin.deleteTopics([IN])
    const facts = { records, rounds, disturbed }
    return [
      compare('isolation/lane', lanes.thread, lanes.process),
      { ...compare('isolation', speeds(runs.thread, records), speeds(runs.process, records)), ...cost(runs), ...facts },
    ]

    function cost({ thread, process }: typeof runs) {
      const micros = (each: readonly Measured[]) =>
        round(median(each.map(({ mainCpuSeconds }) => (mainCpuSeconds * 1e6) / records)))
      return { mainThreadMicrosPerRecord: micros(process), mainThreadMicrosPerRecordWithThread: micros(thread) }
    }
  },
}

function compare(name: string, thread: readonly number[], process: readonly number[]): Figure {
  const { ratio, ratioRange } = ratioTo(process, thread)
  const besideThread = { recordsPerSecondWithThread: round(median(thread)) }
  return {
    name,
    ...speed(process),
    ratio: ratio!,
    ratioRange: ratioRange!,
    ...besideThread,
    ...against(ratio!, '>=', TARGET),
  }
}

function speeds(runs: readonly Measured[], records: number): number[] {
  return runs.map(({ seconds }) => records / seconds)
}

async function throughLane(kind: Isolation, file: string, forMs: number): Promise<number> {
  const handler = onnx({ model: file, input: float32(WIDTH), output: float32(null), isolation: kind })
  const spec = modelSpecOf(handler.definition.cohorts[0].model)
  const { stuckMs } = DEFAULT_RUN_SETTINGS
  const executor = createExecutor(
    { models: [spec], lanes: 1, maxBatchRows: MAX_BATCH },
    { logger: benchLogger, clock: systemClock, random: Math.random, stuckMs },
  )
  const model = await executor.lanes[0]!.load(spec)
  const source = new Float32Array(MAX_BATCH * WIDTH).fill(0.5)
  await pump(model, source, MAX_BATCH, forMs / 3)
  const rowsPerSecond = await pump(model, source, MAX_BATCH, forMs)
  await executor.close()
  return rowsPerSecond
}

async function throughPipeline(
  setting: Setting,
  kind: Isolation,
  { model, records, round: i }: { readonly model: string; readonly records: number; readonly round: number },
): Promise<Measured> {
  const { port, lanes, provenance } = setting
  const out = `bench.isolation.out-${i}-${kind}`
  await createTopic(port, out)
  const names = { in: IN, out, model, applicationId: `bench-isolation-${i}-${kind}` }
  const numbers = { width: String(WIDTH), maxBatch: String(MAX_BATCH) }
  const flags = { provenance: String(provenance), isolated: String(kind === 'process') }
  const result = await runTopology(setting, {
    file: TOPOLOGY_FILE,
    parameters: { ...names, ...numbers, ...flags },
    lanes,
    maxBatch: MAX_BATCH,
    until: { topic: IN, records },
  })
  const count = await recordsIn(port, out)
  if (count !== records) throw new WrongOutput(`${out} has ${count} records, expected ${records}`)
  await requireNoDeadLetters(setting)
  await port.admin.deleteTopics([out])
  return result
}
