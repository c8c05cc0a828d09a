// Functions around a model, run in a worker: an element tells them what to do, so that a test can decide.
import { setTimeout as sleep } from 'node:timers/promises'
import {
  float32,
  from,
  isKV,
  json,
  type KV,
  keyed,
  kv,
  onnx,
  text,
  topology,
  withParameters,
} from 'kafka-run-inference'

export interface Task {
  readonly do: string
  readonly x?: readonly number[]
}

const model = onnx({
  model: 'models/digits-mlp-v1.onnx',
  inputs: { x: float32(64) },
  outputs: { probabilities: float32(10) },
})

async function waiting(task: unknown): Promise<unknown> {
  const { do: what } = taskOf(task)
  if (what === 'never') await new Promise(() => {})
  if (what === 'sleep') await sleep(20)
  if (what === 'reject') throw new RangeError('refused')
  if (what === 'exit later') {
    await sleep(5)
    process.exit(3)
  }
  if (what === 'spin later') {
    await sleep(5)
    for (;;);
  }
  return task
}

function acting(task: unknown): unknown {
  const { do: what } = taskOf(task)
  if (what === 'throw') throw new TypeError('no thanks')
  if (what === 'throw text') throw 'just a text'
  if (what === 'spin') for (;;);
  if (what === 'exit') process.exit(7)
  if (what === 'memory') for (const kept: unknown[] = []; ; ) kept.push(new Array(100_000).fill(Math.random()))
  if (what === 'undefined') return undefined
  if (what === 'leave behind') void Promise.reject(new Error('nobody waits for this'))
  return task
}

function taskOf(element: unknown): Task {
  return (isKV(element) ? element.value : element) as Task
}

const NO_PIXELS: readonly number[] = new Array(64).fill(0)

export default withParameters(
  { name: text('of the topology'), timeoutMs: text('of functions', '30000') },
  ({ name, timeoutMs }) => {
    const handler = keyed(model)
      .withPreprocess(({ key, value }: KV<string, Task>) => kv(key, { x: value.x ?? NO_PIXELS }))
      .withPreprocess((element: unknown) => waiting(element) as Promise<KV<string, Task>>, { concurrency: 16 })
      .withPreprocess((element: KV<string, Task>) => acting(element))
      .withPostprocess(({ key, value }) =>
        kv(key, { inference: [...value.inference.probabilities], modelId: value.modelId }),
      )
    const predictions = from(`${name}.in`, { key: json<string>(), value: json<Task>() }).runInference('work', handler, {
      functions: 'worker',
      functionTimeoutMs: Number(timeoutMs),
    })
    return topology(name, [predictions.to(`${name}.out`, { key: json<string>(), value: json() })])
  },
)
