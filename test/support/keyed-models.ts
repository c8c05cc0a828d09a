/** A model for each key, written in the test: what was loaded, unloaded and run, by model. */
import {
  from,
  json,
  type KeyModelMapping,
  type KV,
  keyed,
  type ModelHandler,
  type ModelLimits,
  modelHandler,
  type StepOptions,
  topology,
  utf8,
} from 'kafka-run-inference'
import type { InputRecord, TopologyDriver } from '../../src/testing/index.ts'

export interface KeyedModels {
  readonly mappings: readonly KeyModelMapping<string, number, string>[]
  /** Names of models, in the order in which lanes began to load them. */
  readonly loads: string[]
  readonly unloads: string[]
  /** `name: examples` of each call. */
  readonly calls: string[]
  /** Models whose load throws. */
  readonly broken: Set<string>
  /** Models that refuse every batch, the one that they are known to take as well. */
  readonly out: Set<string>
  /** Models that say of every batch that it is to be tried again. */
  readonly busy: Set<string>
}

/** By name of the model: its keys. Results say which model they come from: `name:example`. */
export function keyedModels(keysOf: Readonly<Record<string, readonly string[]>>): KeyedModels {
  const loads: string[] = []
  const unloads: string[] = []
  const calls: string[] = []
  const broken = new Set<string>()
  const out = new Set<string>()
  const busy = new Set<string>()
  const mappings = Object.entries(keysOf).map(([name, keys]) => ({
    keys,
    handler: modelHandler<number, string, string>({
      name,
      loadModel(modelId) {
        loads.push(modelId)
        if (broken.has(modelId)) throw new RangeError(`no weights for ${modelId}`)
        return modelId
      },
      runInference(batch, model) {
        // The control batch.
        if (batch[0] !== 0) calls.push(`${model}: ${batch.join(' ')}`)
        if (busy.has(model) && batch[0] !== 0) throw new EvalError(`${model} is busy`)
        if (out.has(model)) throw new TypeError(`${model} is out`)
        if (batch.includes(13)) throw new RangeError('13 is not for me')
        return batch.map(example => `${model}:${example}`)
      },
      controlBatch: () => [0],
      isTransient: error => error instanceof EvalError,
      unloadModel(model) {
        unloads.push(model)
      },
    }),
  }))
  return { mappings, loads, unloads, calls, broken, out, busy }
}

/** `in` → step `ask`, a model for each key → `out`; `also`: and a step with these. */
export function askTopology(
  models: KeyedModels | { readonly handler: ModelHandler<KV<string, number>, KV<string, string>> },
  limits: ModelLimits = {},
  step: StepOptions<KV<string, number>> = {},
  also?: KeyedModels,
) {
  const source = from('in', { key: utf8(), value: json<number>() })
  const out = { key: utf8(), value: json<string>() }
  const handler = 'handler' in models ? models.handler : keyed(models.mappings, limits)
  const asked = source.runInference('ask', handler, step)
  return topology('t', [
    asked.to('out', out),
    ...(also ? [source.runInference('also', keyed(also.mappings)).to('out', out)] : []),
  ])
}

/** `key=example` each. */
export function asked(...texts: readonly string[]): InputRecord[] {
  return texts.map(text => {
    const [key, example] = text.split('=')
    return { key, value: Number(example) }
  })
}

/** What stands in a topic, in order: `key=value`. */
export async function answers(driver: TopologyDriver, topic = 'out'): Promise<string[]> {
  return (await driver.read(topic)).map(({ key, value }) => `${String(key)}=${String(value)}`)
}
