/**
 * Rows per second through the thread executor, beside onnxruntime alone at the same batch: what a lane costs.
 * The main thread copies every batch into its slot and reads a number of every result, as the pipeline would.
 * `node --conditions=kri-source bench/lane.bench.ts [--quick]`
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { float32 } from '../src/kafka/tensor-codec.ts'
import type { LaneModel } from '../src/models/executor.ts'
import { modelSpecOf } from '../src/models/model-handler.ts'
import { onnx } from '../src/models/onnx-handler.ts'
import { createThreadExecutor } from '../src/models/thread-executor.ts'
import { systemClock } from '../src/ops/clock.ts'
import { silentLogger } from '../src/ops/logger.ts'
import { MID_MLP, SMALL_MLP, writeMlp } from './make-mlp.ts'
import { rawOnnx } from './raw-onnx.ts'

const durationMs = process.argv.includes('--quick') ? 500 : 1_500
const rounds = 3

const subjects = [
  { name: 'small', widths: SMALL_MLP, batches: [512] },
  { name: 'mid', widths: MID_MLP, batches: [256, 512] },
] as const

async function throughLanes(file: string, width: number, batch: number, lanes: number): Promise<number> {
  const executor = createThreadExecutor(
    { lanes, maxBatchRows: batch },
    { logger: silentLogger, clock: systemClock, random: Math.random },
  )
  const spec = modelSpecOf(onnx({ model: file, input: float32(width), output: float32(null) }).definition.model)
  const models = await Promise.all(executor.lanes.map(lane => lane.load(spec)))
  const source = new Float32Array(batch * width).fill(0.5)
  const warmUpMs = durationMs / 3
  await Promise.all(
    models.flatMap(model => [pump(model, source, batch, warmUpMs), pump(model, source, batch, warmUpMs)]),
  )
  const startedAt = performance.now()
  const pumps = models.flatMap(model => [
    pump(model, source, batch, durationMs),
    pump(model, source, batch, durationMs),
  ])
  const rows = (await Promise.all(pumps)).reduce((sum, each) => sum + each, 0)
  const passedMs = performance.now() - startedAt
  await executor.close()
  return (rows * 1000) / passedMs
}

// One place of a lane, kept busy: fill, run, read, release.
async function pump(model: LaneModel, source: Float32Array, batch: number, forMs: number): Promise<number> {
  const shape = model.loaded.inputs.map(({ shape }) => shape as number[])
  const until = performance.now() + forMs
  let rows = 0
  while (performance.now() < until) {
    const slot = model.acquire()
    if (!slot) throw new Error('a lane has more places than pumps')
    const [x] = slot.prepare(batch, shape)
    ;(x as Float32Array).set(source)
    const { outputs } = await slot.run(0, batch)
    if (!(Number(outputs[0]?.data[0]) >= 0)) throw new Error('a probability is missing')
    rows += batch
    slot.release()
  }
  return rows
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}

const folder = mkdtempSync(join(tmpdir(), 'lane-bench-'))
for (const { name, widths, batches } of subjects) {
  const file = join(folder, `${name}.onnx`)
  writeMlp(file, widths)
  for (const batch of batches) {
    for (const lanes of [1, 2]) {
      const raw: number[] = []
      const through: number[] = []
      for (let round = 0; round < rounds; round++) {
        raw.push((await rawOnnx({ file, width: widths[0], batch, workers: lanes, durationMs })).rowsPerSecond)
        through.push(await throughLanes(file, widths[0], batch, lanes))
      }
      const recordsPerSecond = Math.round(median(through))
      const ratio = Number((median(through) / median(raw)).toFixed(3))
      const line = { name: `lane/${name}/${batch}x${lanes}`, recordsPerSecond, rawOnnx: Math.round(median(raw)), ratio }
      console.log(JSON.stringify(line))
    }
  }
}
rmSync(folder, { recursive: true })
