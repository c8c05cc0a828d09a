/** Calls one session again and again with the same tensors, and reports how fast that went. */
import { readFileSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import type { RawOnnxOrder, RawOnnxResult } from './raw-onnx.ts'

const { file, width, batch, intraOpNumThreads, durationMs } = workerData as RawOnnxOrder
const session = await InferenceSession.create(readFileSync(file), {
  executionProviders: ['cpu'],
  intraOpNumThreads,
  interOpNumThreads: 1,
  extra: { session: { intra_op: { allow_spinning: '0' } } },
})
const metadata = session.outputMetadata[0]
if (!metadata?.isTensor) throw new Error(`${file} has no tensor as its first output`)
const outWidth = Number(metadata.shape[1])
const x = new Float32Array(new SharedArrayBuffer(batch * width * 4)).fill(0.5)
const out = new Float32Array(new SharedArrayBuffer(batch * outWidth * 4))
const feeds = { [session.inputNames[0]!]: new Tensor('float32', x, [batch, width]) }
const fetches = { [metadata.name]: new Tensor('float32', out, [batch, outWidth]) }

async function run(forMs: number): Promise<RawOnnxResult> {
  const startedAt = performance.now()
  let calls = 0
  let passed = 0
  for (; passed < forMs; passed = performance.now() - startedAt) {
    await session.run(feeds, fetches)
    calls++
  }
  return { rowsPerSecond: (calls * batch * 1000) / passed, callMs: passed / calls }
}

await run(durationMs / 10)
const result = await run(durationMs)
await session.release()
parentPort?.postMessage(result)
