/**
 * Ten sessions in one lane must not slow the one that is in use: the same model in a lane of its own and in a lane that holds
 * nine others, in turn, a slice of time each. Both lanes exist at once, and each is now the first and now the second.
 */
import { join } from 'node:path'
import { float32 } from '../src/kafka/tensor-codec.ts'
import type { Lane, LaneModel } from '../src/models/executor.ts'
import { modelSpecOf } from '../src/models/model-handler.ts'
import { onnx } from '../src/models/onnx-handler.ts'
import { createThreadExecutor } from '../src/models/thread-executor.ts'
import { systemClock } from '../src/ops/clock.ts'
import { benchLogger } from './connect.ts'
import { against, type Figure, median, ratioTo, round, speed } from './figures.ts'
import { generator, MID_MLP, SMALL_MLP, writeMlp } from './make-mlp.ts'
import { pair } from './pair.ts'
import { pump } from './pump.ts'
import type { Setting, Subject } from './setting.ts'

const SESSIONS = 10
/** Which of them is in use: neither the first nor the last to be loaded. */
const IN_USE = 4
const BATCHES = [64, 256] as const
const TARGET = 0.95
/** Where memory comes to lie is chance; it is drawn anew with new lanes. */
const ROUNDS_PER_LANES = 4

const SIZES = [
  { name: 'small', widths: SMALL_MLP },
  { name: 'mid', widths: MID_MLP },
] as const

export const sessions: Subject = {
  name: 'sessions',
  about: 'a model in a lane that holds nine others, against the same model alone in a lane',
  withoutBrokers: true,
  async run(setting) {
    const figures: Figure[] = []
    for (const { name, widths } of SIZES) {
      const files = Array.from({ length: SESSIONS }, (_, i) => join(setting.folder, `sessions-${name}-${i}.onnx`))
      for (const [seed, file] of files.entries()) writeMlp(file, widths, seed)
      for (const batch of BATCHES)
        figures.push(await measure(`sessions/${name}/${batch}`, files, widths[0], batch, setting))
    }
    return figures
  },
}

async function measure(
  name: string,
  files: readonly string[],
  width: number,
  batch: number,
  { quick, rounds = quick ? 8 : 40, say }: Setting,
): Promise<Figure> {
  const sliceMs = quick ? 100 : 200
  const random = generator(3)
  const rows = Float32Array.from({ length: batch * width }, random)
  const alone: number[] = []
  const crowded: number[] = []
  for (let done = 0; done < rounds; done += ROUNDS_PER_LANES) {
    const executor = createThreadExecutor(
      { lanes: 2, maxBatchRows: batch },
      { logger: benchLogger, clock: systemClock, random: Math.random },
    )
    const isSwapped = (done / ROUNDS_PER_LANES) % 2 === 1
    const [first, second] = executor.lanes as [Lane, Lane]
    const [aloneLane, crowdedLane] = isSwapped ? [second, first] : [first, second]
    const aloneModel = await load(aloneLane, files[IN_USE]!, width)
    const all: LaneModel[] = []
    for (const file of files) all.push(await load(crowdedLane, file, width))
    const slice = (model: LaneModel) => () => pump(model, rows, batch, sliceMs)
    await pair(done, slice(aloneModel), slice(all[IN_USE]!))
    for (let i = done; i < Math.min(rounds, done + ROUNDS_PER_LANES); i++) {
      const [a, b] = await pair(i, slice(aloneModel), slice(all[IN_USE]!))
      alone.push(a)
      crowded.push(b)
    }
    await executor.close()
  }
  const ratios = ratioTo(crowded, alone)
  say(`${name}: ${ratios.ratio} of the speed alone`)
  const callMs = (speeds: readonly number[]) => round((batch * 1000) / median(speeds))
  const facts = { callMs: callMs(crowded), aloneCallMs: callMs(alone), sessions: SESSIONS, batch, rounds }
  return { name, ...speed(crowded), ...ratios, ...facts, ...against(ratios.ratio!, '>=', TARGET) }
}

function load(lane: Lane, file: string, width: number): Promise<LaneModel> {
  return lane.load(
    modelSpecOf(onnx({ model: file, input: float32(width), output: float32(null) }).definition.cohorts[0].model),
  )
}
