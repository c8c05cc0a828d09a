/** A small topology over the digits model, whose records say in plain text what shall happen to them. */
import { float32, from, int64, type KV, keyed, kv, onnx, type StepOptions, topology, utf8 } from 'kafka-run-inference'
import type { SourceOptions } from '../../src/graph.ts'
import type { OutputRecord, TopologyDriver } from '../../src/testing/index.ts'

export const mlp = onnx({
  model: 'models/digits-mlp-v1.onnx',
  inputs: { x: float32(64) },
  outputs: { probabilities: float32(10), label: int64() },
})

/**
 * `5` = an image of that brightness; `pre`, `post` = a function throws; `short` = a row of 63 numbers; `wide` = an output
 * that is no text. The output is `<text>:<label>`.
 */
export const classifier = keyed(mlp)
  .withPreprocess(({ key, value }: KV<string, string>) => kv(key, { x: image(value) }))
  .withPreprocess((element: KV<string, string>) => {
    if (element.value === 'pre') throw new RangeError('asked for by the record')
    return element
  })
  .withPostprocess(({ key, value: { example, inference, modelId } }) => {
    if ((example.x as Float32Array)[0] === -1) throw new RangeError('asked for by the record')
    return kv(key, { text: (example.x as Float32Array)[0]!, label: Number(inference.label[0]), modelId })
  })
  .withPostprocess(({ key, value: { text, label } }) => kv(key, (text === -2 ? 5 : `${text}:${label}`) as string))

function image(text: string): Float32Array {
  const brightness = { post: -1, wide: -2 }[text] ?? Number(text)
  return new Float32Array(text === 'short' ? 63 : 64).fill(brightness)
}

export const strings = { key: utf8(), value: utf8() }

/** `in` → classify → `out`. */
export function digitTopology(options: { readonly source?: SourceOptions; readonly step?: StepOptions } = {}) {
  const labels = from('in', strings, options.source).runInference('classify', classifier, options.step)
  return topology('t', [labels.to('out', strings)])
}

/** The dead letters of a stage, by their records' position. */
export async function deadLetters(
  driver: TopologyDriver,
  stage: 'preprocess' | 'inference' | 'postprocess',
  step = 't.classify',
): Promise<readonly OutputRecord[]> {
  return driver.read(`${step}.failed-${stage}`)
}

/** `key=value` of records. */
export function shown(records: readonly OutputRecord[]): string[] {
  return records.map(({ key, value }) => `${String(key)}=${String(value)}`)
}
