// The smallest topology, with the two ways of choosing the partition of an output.
import { float32, from, inference, onnx, text, topology, withParameters } from 'kafka-run-inference'

export default withParameters(
  {
    in: text('topic of rows'),
    out: text('topic of results'),
    model: text('path of the ONNX model'),
    applicationId: text('consumer group'),
    partition: text('source or key', 'source'),
  },
  ({ in: source, out, model, applicationId, partition }) => {
    const handler = onnx({ model, input: float32(64), output: float32(10) })
    const rows = from(source, float32(64)).runInference('infer', handler, { batch: { maxSize: 512 } })
    const by = partition === 'key' ? 'key' : 'source'
    return topology('guarantee', [rows.to(out, inference(), { partition: by })], { applicationId })
  },
)
