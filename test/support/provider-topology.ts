// Rows of digits through a model on the execution providers that a parameter names: <prefix>in to <prefix>out.
import { float32, from, inference, onnx, text, topology, withParameters } from 'kafka-run-inference'

export default withParameters(
  { prefix: text('of all names'), providers: text('execution providers, with commas between them') },
  ({ prefix, providers }) => {
    const model = onnx({
      model: 'models/digits-mlp-v1.onnx',
      input: float32(64),
      output: float32(10),
      providers: providers.split(',') as ['webgpu'],
    })
    const rows = from(`${prefix}in`, float32(64)).runInference('classify', model)
    return topology(`${prefix}app`, [rows.to(`${prefix}out`, inference())])
  },
)
