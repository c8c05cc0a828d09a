/** A step on webgpu that follows what is published; each output says which model made it. */
import { float32, from, json, onnx, text, topology, withParameters } from 'kafka-run-inference'
import type { Labelled } from './bad-loads-topology.ts'

export default withParameters(
  {
    in: text('topic of float32 rows of 64'),
    out: text('topic for the outputs'),
    model: text('path of the model that serves while nothing is published'),
    applicationId: text('consumer group, and prefix of internal topics'),
  },
  ({ in: source, out, model, applicationId }) => {
    const digits = onnx({ model, input: float32(64), output: float32(null), providers: ['webgpu'] })
    const labelled = from(source, float32(64))
      .runInference('infer', digits, { modelMetadata: true })
      .map(({ modelId, inference }): Labelled => ({ modelId, y: [...inference] }))
    return topology('gpu-followed', [labelled.to(out, json<Labelled>())], { applicationId })
  },
)
