// Digits whose model is published while they come: each result says which model made it.
import { float32, from, onnx, text, topology, utf8, withParameters } from 'kafka-run-inference'

export default withParameters(
  {
    in: text('topic of digits'),
    out: text('topic of results'),
    model: text('path of the first model'),
    applicationId: text('consumer group'),
    provider: text('execution provider', 'cpu'),
  },
  ({ in: source, out, model, applicationId, provider }) => {
    const inputs = { x: float32(64) }
    const handler = onnx({ model, inputs, outputs: { probabilities: float32(10) }, providers: [provider as 'cpu'] })
      .withPreprocess((x: Float32Array) => ({ x }))
      .withPostprocess(({ modelId, inference }) => `${modelId} ${Array.from(inference.probabilities).join()}`)
    const results = from(source, float32(64)).runInference('classify', handler, {
      batch: { maxSize: 256 },
      modelMetadata: true,
    })
    return topology('refresh', [results.to(out, utf8())], { applicationId })
  },
)
