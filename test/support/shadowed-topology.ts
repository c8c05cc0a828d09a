/** As `followed-topology.ts`, under a name of its own: so is its shadow topic, which a suite deletes. */
import { float32, from, inference, onnx, text, topology, withParameters } from 'kafka-run-inference'

export default withParameters(
  {
    in: text('topic of float32 rows of 64'),
    out: text('topic for the outputs'),
    model: text('path of the model that serves while nothing is published'),
    applicationId: text('consumer group, and prefix of internal topics'),
  },
  ({ in: source, out, model, applicationId }) => {
    const handler = onnx({ model, input: float32(64), output: float32(null) })
    const rows = from(source, float32(64)).runInference('infer', handler, { modelMetadata: true })
    return topology('shadowed', [rows.to(out, inference())], { applicationId })
  },
)
