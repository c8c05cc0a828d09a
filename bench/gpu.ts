/**
 * What a lane costs on a GPU: rows per second through a lane (a child process, as models on a GPU have one) over those of
 * onnxruntime alone, on the same provider at the same batch. Where there is no GPU, webgpu on a driver in software takes its
 * place: that shows that it runs, and says nothing of GPUs.
 */
import { join } from 'node:path'
import { float32 } from '../src/kafka/tensor-codec.ts'
import type { LaneModel, Provider } from '../src/models/executor.ts'
import { modelSpecOf } from '../src/models/model-handler.ts'
import { onnx } from '../src/models/onnx-handler.ts'
import { createProcessExecutor } from '../src/models/process-executor.ts'
import { systemClock } from '../src/ops/clock.ts'
import { withVulkan } from '../test/support/vulkan.ts'
import { startVariant } from './child.ts'
import { benchLogger } from './connect.ts'
import { against, type Figure, ratioTo, round, speed } from './figures.ts'
import { MID_MLP, SMALL_MLP, writeMlp } from './make-mlp.ts'
import { pair } from './pair.ts'
import { pump } from './pump.ts'
import type { RawSessionOrder, RawSessionResult } from './raw-session.ts'
import type { Setting, Subject } from './setting.ts'

const TARGET = 0.9
/** Enough work per row that a GPU is worth its while. */
const LARGE_MLP = [784, 4096, 4096, 10] as const
const STUCK_MS = 120_000

interface Case {
  readonly name: string
  readonly widths: readonly number[]
  readonly batches: readonly number[]
}

const ON_GPU: readonly Case[] = [
  { name: 'mid', widths: MID_MLP, batches: [256, 1024] },
  { name: 'large', widths: LARGE_MLP, batches: [256, 1024] },
]
const IN_SOFTWARE: readonly Case[] = [{ name: 'small', widths: SMALL_MLP, batches: [256] }]

const DRIVER_IN_SOFTWARE = /swiftshader|lvp_icd/i

export const gpu: Subject = {
  name: 'gpu',
  about: 'a lane on each GPU provider that there is, against onnxruntime alone on it at the same batch',
  withoutBrokers: true,
  async run(setting) {
    const probe = join(setting.folder, 'gpu-probe.onnx')
    writeMlp(probe, SMALL_MLP)
    const figures: Figure[] = []
    for (const provider of ['cuda', 'tensorrt', 'webgpu'] as const) {
      // A driver in software that the environment names is no GPU; it has its turn below.
      if (provider === 'webgpu' && DRIVER_IN_SOFTWARE.test(process.env.VK_ICD_FILENAMES ?? '')) continue
      const refusal = await refusalOf(provider, probe)
      if (refusal === undefined) figures.push(...(await measureAll(setting, provider, ON_GPU, 'GPU')))
      else setting.say(`${provider}: not measured: ${refusal}`)
    }
    if (figures.length > 0) return figures
    const missing = withVulkan() || (await refusalOf('webgpu', probe))
    if (missing) {
      setting.say(`no GPU, and none in software: nothing was measured (${missing})`)
      return []
    }
    setting.say('no GPU: webgpu on a Vulkan driver in software, whose figures say nothing of GPUs')
    return measureAll(setting, 'webgpu', IN_SOFTWARE, 'a driver in software')
  },
}

async function refusalOf(provider: Provider, file: string): Promise<string | undefined> {
  const refusal = await onLane(provider, file, SMALL_MLP[0], 2, async () => undefined).catch((error: Error) => error)
  return refusal?.message
}

async function measureAll(setting: Setting, provider: Provider, cases: readonly Case[], device: string) {
  const figures: Figure[] = []
  for (const { name, widths, batches } of cases) {
    const file = join(setting.folder, `gpu-${name}.onnx`)
    writeMlp(file, widths)
    for (const batch of batches) figures.push(await measure(setting, provider, { name, widths, batch, file }, device))
  }
  return figures
}

async function measure(
  { quick, rounds = quick ? 2 : 6, say }: Setting,
  provider: Provider,
  { name, widths, batch, file }: { name: string; widths: readonly number[]; batch: number; file: string },
  device: string,
): Promise<Figure> {
  const durationMs = quick ? 1_000 : 4_000
  const width = widths[0]!
  const source = new Float32Array(batch * width).fill(0.5)
  const order: RawSessionOrder = { file, width, batch, intraOpNumThreads: 1, durationMs, provider }
  const alone = async () => (await startVariant<RawSessionResult>('raw-session', order).result).rowsPerSecond
  const throughLane = () =>
    onLane(provider, file, width, batch, async model => {
      await pump(model, source, batch, durationMs / 10)
      return pump(model, source, batch, durationMs)
    })
  const lane: number[] = []
  const raw: number[] = []
  for (let i = 0; i < rounds; i++) {
    const [a, b] = await pair(i, throughLane, alone)
    lane.push(a)
    raw.push(b)
  }
  const ratios = ratioTo(lane, raw)
  const figure = `gpu/${provider}/${name}/${batch}`
  say(`${figure}: ${ratios.ratio} of onnxruntime alone, on ${device}`)
  const facts = { rawRecordsPerSecond: speed(raw).recordsPerSecond, batch, rounds, device }
  const judged = device === 'GPU' ? against(round(ratios.ratio!), '>=', TARGET) : {}
  return { name: figure, ...speed(lane), ...ratios, ...facts, ...judged }
}

/** A model in a child process of its own; like the raw session it gives the device back at its end. */
async function onLane<T>(
  provider: Provider,
  file: string,
  width: number,
  batch: number,
  use: (model: LaneModel) => Promise<T>,
): Promise<T> {
  const executor = createProcessExecutor(
    { lanes: 1, maxBatchRows: batch },
    { logger: benchLogger, clock: systemClock, random: Math.random, stuckMs: STUCK_MS },
  )
  const handler = onnx({ model: file, input: float32(width), output: float32(null), providers: [provider] })
  try {
    return await use(await executor.lanes[0]!.load(modelSpecOf(handler.definition.cohorts[0].model)))
  } finally {
    await executor.close()
  }
}
