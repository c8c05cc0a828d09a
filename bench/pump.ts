import type { LaneModel } from '../src/models/executor.ts'

/** Pumps side by side that keep a lane at work: one batch runs while the next is filled. */
const PUMPS = 2

/** Runs batches of `batch` rows in a lane, without a pause, for this long; resolves with rows per second. */
export async function pump(model: LaneModel, source: Float32Array, batch: number, forMs: number): Promise<number> {
  const startedAt = performance.now()
  const until = startedAt + forMs
  const rows = await Promise.all(Array.from({ length: PUMPS }, () => pumpOnePlace(model, source, batch, until)))
  return (rows.reduce((sum, each) => sum + each, 0) * 1000) / (performance.now() - startedAt)
}

// As the pipeline does it: fill, run, read, release.
async function pumpOnePlace(model: LaneModel, source: Float32Array, batch: number, until: number): Promise<number> {
  const shape = model.loaded.inputs.map(({ shape }) => shape as number[])
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
