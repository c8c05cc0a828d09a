/**
 * Rows per second through the thread executor, beside onnxruntime alone at the same batch: what a lane costs.
 * The main thread copies every batch into its slot and reads a number of every result, as the pipeline would.
 * `node --conditions=kri-source bench/lane.bench.ts [--quick]`
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { float32 } from '../src/kafka/tensor-codec.ts'
import { modelSpecOf } from '../src/models/model-handler.ts'
import { onnx } from '../src/models/onnx-handler.ts'
import { createThreadExecutor } from '../src/models/thread-executor.ts'
import { systemClock } from '../src/ops/clock.ts'
import { silentLogger } from '../src/ops/logger.ts'
import { MID_MLP, SMALL_MLP, writeMlp } from './make-mlp.ts'
import { pump } from './pump.ts'
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
  const spec = modelSpecOf(
    onnx({ model: file, input: float32(width), output: float32(null) }).definition.cohorts[0].model,
  )
  const models = await Promise.all(executor.lanes.map(lane => lane.load(spec)))
  const source = new Float32Array(batch * width).fill(0.5)
  await Promise.all(models.map(model => pump(model, source, batch, durationMs / 3)))
  const speeds = await Promise.all(models.map(model => pump(model, source, batch, durationMs)))
  await executor.close()
  return speeds.reduce((sum, each) => sum + each, 0)
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
