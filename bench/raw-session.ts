/** One onnxruntime session that is called again and again with the same tensors: the limit of a lane. */
import { readFileSync } from 'node:fs'
import { InferenceSession, Tensor } from 'onnxruntime-node'

export interface RawSessionOrder {
  /** A model with one float32 input x[batch, width]. */
  readonly file: string
  readonly width: number
  readonly batch: number
  readonly intraOpNumThreads: number
  readonly durationMs: number
  readonly provider: string
}

export interface RawSessionResult {
  readonly rowsPerSecond: number
  /** Mean time of one call. */
  readonly callMs: number
}

/** Measures in this very thread, which stands still meanwhile, after a warm-up of a tenth of the time. */
export async function runRawSession(order: RawSessionOrder): Promise<RawSessionResult> {
  const { file, width, batch, intraOpNumThreads, durationMs, provider } = order
  const session = await InferenceSession.create(readFileSync(file), {
    executionProviders: [provider],
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
  const run = async (forMs: number): Promise<RawSessionResult> => {
    const startedAt = performance.now()
    let calls = 0
    let passed = 0
    for (; passed < forMs; passed = performance.now() - startedAt) {
      await session.run(feeds, fetches)
      calls++
    }
    return { rowsPerSecond: (calls * batch * 1000) / passed, callMs: passed / calls }
  }
  // The first run compiles for the device, which takes seconds.
  await run(0)
  await run(durationMs / 10)
  const result = await run(durationMs)
  await session.release()
  return result
}

/** The first output of these rows, which are one batch, without anything of ours in between. */
export async function infer(file: string, rows: Float32Array, width: number): Promise<Float32Array> {
  const session = await InferenceSession.create(readFileSync(file), { executionProviders: ['cpu'] })
  const feeds = { [session.inputNames[0]!]: new Tensor('float32', rows, [rows.length / width, width]) }
  const results = await session.run(feeds)
  const data = results.probabilities?.data
  await session.release()
  if (!(data instanceof Float32Array)) throw new Error(`${file} has no probabilities of float32`)
  return data
}
