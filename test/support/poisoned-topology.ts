/** Pictures of 64 pixels → their label, by a step that follows what is published. The name is a parameter: dead letters are called by it. */
import {
  float32,
  from,
  int64,
  json,
  type KV,
  keyed,
  kv,
  onnx,
  text,
  topology,
  utf8,
  withParameters,
} from 'kafka-run-inference'

export interface Picture {
  readonly pixels: readonly number[]
}

export interface Label {
  readonly label: number
  readonly modelId: string
}

export default withParameters(
  {
    name: text('of the topology, and what its topics begin with'),
    model: text('path of the model that serves while nothing is published'),
  },
  ({ name, model }) => {
    const handler = keyed(
      onnx({ model, inputs: { x: float32(64) }, outputs: { probabilities: float32(10), label: int64() } }),
    )
      .withPreprocess(({ key, value }: KV<string, Picture>) => kv(key, { x: value.pixels }))
      .withPostprocess(
        ({ key, value }): KV<string, Label> =>
          kv(key, { label: Number(value.inference.label[0]), modelId: value.modelId }),
      )
    const labels = from(`${name}.pictures`, { key: utf8(), value: json<Picture>() }).runInference('classify', handler, {
      modelMetadata: true,
    })
    return topology(name, [labels.to(`${name}.labels`, { key: utf8(), value: json<Label>() })], { applicationId: name })
  },
)
