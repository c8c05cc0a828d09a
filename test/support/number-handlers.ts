/** Handlers over numbers, written in the test, that do what a test asks of them. */
import { type CustomHandler, from, json, modelHandler, type StepOptions, topology } from 'kafka-run-inference'
import type { ModelHandler } from '../../src/models/model-handler.ts'
import type { InputRecord, TopologyDriver } from '../../src/testing/index.ts'

export interface NumberHandler {
  readonly handler: ReturnType<typeof modelHandler<number, number, unknown>>
  /** Batches that the model saw, control batches apart. */
  readonly batches: number[][]
}

/** Multiplies by ten; `check` is asked of every batch before, and may throw. */
export function timesTen(
  check: (batch: readonly number[]) => unknown = () => {},
  also: Partial<CustomHandler<number, number, unknown>> = {},
): NumberHandler {
  const batches: number[][] = []
  const handler = modelHandler<number, number, unknown>({
    name: 'times-ten',
    loadModel: () => ({}),
    async runInference(batch) {
      batches.push([...batch])
      await check(batch)
      return batch.map(value => value * 10)
    },
    ...also,
  })
  return { handler, batches }
}

/** `in` → step `calc` → `out`, as JSON. */
export function calculation<In, Out>(handler: ModelHandler<In, Out>, step: StepOptions<In> = {}) {
  return topology('t', [from('in', json<In>()).runInference('calc', handler, step).to('out', json<Out>())])
}

export function values(...list: readonly unknown[]): InputRecord[] {
  return list.map(value => ({ value }))
}

export async function outputs(driver: TopologyDriver, topic = 'out'): Promise<unknown[]> {
  return (await driver.read(topic)).map(({ value }) => value)
}

/** `stage code index` of each failure, with the value of its record as far as it is JSON. */
export function failed(driver: TopologyDriver): string[] {
  return driver.failures.map(({ stage, code, index, source }) => `${source.offset} ${stage} ${code} ${index}`)
}
