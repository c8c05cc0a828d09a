/** The limit of a lane: onnxruntime alone, in worker threads of its own, at a given batch and number of threads. */
import { Worker } from 'node:worker_threads'
import type { RawSessionOrder, RawSessionResult } from './raw-session.ts'

export interface RawOnnxOptions {
  /** A model with one float32 input x[batch, width]. */
  readonly file: string
  readonly width: number
  readonly batch: number
  /** Workers side by side, as many as there are lanes. Default 1. */
  readonly workers?: number
  readonly intraOpNumThreads?: number
  /** How long to measure, after a warm-up of a tenth of it. Default 2,000. */
  readonly durationMs?: number
}

export async function rawOnnx(options: RawOnnxOptions): Promise<RawSessionResult> {
  const { file, width, batch, workers = 1, intraOpNumThreads = 1, durationMs = 2_000 } = options
  const order: RawSessionOrder = { file, width, batch, intraOpNumThreads, durationMs, provider: 'cpu' }
  const results = await Promise.all(Array.from({ length: workers }, () => measure(order)))
  return {
    rowsPerSecond: results.reduce((sum, { rowsPerSecond }) => sum + rowsPerSecond, 0),
    callMs: results.reduce((sum, { callMs }) => sum + callMs, 0) / workers,
  }
}

function measure(order: RawSessionOrder): Promise<RawSessionResult> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./raw-onnx-worker.ts', import.meta.url), { workerData: order })
    let result: RawSessionResult | undefined
    worker.on('message', (message: RawSessionResult) => {
      result = message
    })
    worker.on('error', reject)
    worker.on('exit', code => (result ? resolve(result) : reject(new Error(`the worker ended with exit code ${code}`))))
  })
}
