/**
 * What bad rows cost: one batch of 256 rows, of which some make the model fail, through the engine on the test driver, with the
 * real model in the same thread. Calls to the model are counted: beyond the first, they are what the search costs (I7).
 */
import { join } from 'node:path'
import { float32, from, inference, onnx, topology } from 'kafka-run-inference'
import { nullMetrics } from '../src/pipeline/null-metrics.ts'
import { createFaultyExecutor, type FaultyExecutor } from '../src/testing/faulty-executor.ts'
import { createTopologyDriver } from '../src/testing/topology-driver.ts'
import { against, type Figure, median, round } from './figures.ts'
import { MID_MLP, writeMlp } from './make-mlp.ts'
import { type Subject, WrongOutput } from './setting.ts'

const ROWS = 256
const BAD_ROWS = [0, 1, 16, 256] as const
/** At most 4·log2(n) extra calls a batch. */
const MOST_EXTRA_CALLS = 4 * Math.log2(ROWS)
const WIDTH = MID_MLP[0]

interface Searched {
  readonly calls: number
  readonly controls: number
  readonly batches: number
  readonly ms: number
}

export const badRows: Subject = {
  name: 'pipeline-shapes/bad-rows',
  about: 'a batch of 256 rows of which 1, 16 and all make the model fail: calls, and time',
  withoutBrokers: true,
  async run({ folder, quick, rounds = quick ? 3 : 10, say }) {
    const model = join(folder, 'bad-rows.onnx')
    writeMlp(model, MID_MLP)
    const runs = new Map<number, Searched[]>(BAD_ROWS.map(bad => [bad, []]))
    // Whoever comes first pays for what V8 compiles.
    await search(model, 1)
    for (let i = 0; i < rounds; i++) for (const bad of BAD_ROWS) runs.get(bad)!.push(await search(model, bad))
    const goodMs = median(runs.get(0)!.map(({ ms }) => ms))
    return BAD_ROWS.map((bad): Figure => {
      const found = runs.get(bad)!
      const { calls, controls, batches } = found[0]!
      const ms = median(found.map(each => each.ms))
      say(`${bad} bad rows of ${ROWS}: ${calls} calls and ${controls} control batches in ${batches} batches`)
      const facts = {
        bad,
        calls,
        extraCalls: calls - 1,
        controls,
        batches,
        ms: round(ms),
        timesGood: round(ms / goodMs),
      }
      const perBatch = calls / batches - 1
      return {
        name: `pipeline-shapes/bad-rows/${bad}`,
        ...facts,
        ...against(perBatch, '<=', MOST_EXTRA_CALLS, ' extra calls a batch'),
      }
    })
  },
}

async function search(model: string, bad: number): Promise<Searched> {
  let executor: FaultyExecutor | undefined
  let batches = 0
  const rows = from('in', float32(WIDTH)).runInference(
    'infer',
    onnx({ model, input: float32(WIDTH), output: float32(10) }),
    { batch: { maxSize: ROWS } },
  )
  const driver = await createTopologyDriver(topology('bad-rows', [rows.to('out', inference(float32(10)))]), {
    metrics: { ...nullMetrics, batchDispatched: () => void batches++ },
    wrapExecutor(inner) {
      executor = createFaultyExecutor(inner, { clock: { now: () => 0, wallTime: () => 0, after: () => () => {} } })
      return executor
    },
  })
  executor!.failRowsWhere(([x]) => (x as Float32Array)[0] === 1)
  const every = bad === 0 ? Number.POSITIVE_INFINITY : ROWS / bad
  const records = Array.from({ length: ROWS }, (_, i) => {
    // In the middle of its share, so that no bad row stands at an end.
    const isBad = bad === ROWS || i % every === Math.floor(every / 2)
    return { value: new Float32Array(WIDTH).fill(isBad ? 1 : 0.5) }
  })
  const startedAt = performance.now()
  await driver.pipe('in', records)
  await driver.idle()
  const ms = performance.now() - startedAt
  await driver.advance(1_000)
  const failed = (await driver.read('bad-rows.infer.failed-inference')).length
  const out = (await driver.read('out')).length
  await driver.stop()
  if (failed !== bad || out !== ROWS - bad)
    throw new WrongOutput(`${bad} bad rows: ${failed} dead letters, ${out} results`)
  return { calls: executor!.runs.length, controls: executor!.controls, batches, ms }
}
