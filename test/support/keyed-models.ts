/** A model for each key, written in the test: what was loaded, unloaded and run, by model. */
import {
  from,
  json,
  type KeyModelMapping,
  type KV,
  keyed,
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
}

/** By name of the model: its keys. Results say which model they come from: `name:example`. */
export function keyedModels(keysOf: Readonly<Record<string, readonly string[]>>): KeyedModels {
  const loads: string[] = []
  const unloads: string[] = []
  const calls: string[] = []
  const broken = new Set<string>()
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
        calls.push(`${model}: ${batch.join(' ')}`)
        if (batch.includes(13)) throw new RangeError('13 is not for me')
        return batch.map(example => `${model}:${example}`)
      },
      controlBatch: () => [0],
      unloadModel(model) {
        unloads.push(model)
      },
    }),
  }))
  return { mappings, loads, unloads, calls, broken }
}

/** `in` → step `ask`, a model for each key → `out`. */
export function askTopology(
  { mappings }: KeyedModels,
  limits: ModelLimits = {},
  step: StepOptions<KV<string, number>> = {},
) {
  const source = from('in', { key: utf8(), value: json<number>() })
  return topology('t', [
    source.runInference('ask', keyed(mappings, limits), step).to('out', { key: utf8(), value: json() }),
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
