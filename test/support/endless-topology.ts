// A topology whose function never returns.
import { float32, from, inference, onnx, text, topology, withParameters } from 'kafka-run-inference'

export default withParameters(
  { in: text('topic that is read'), out: text('topic that is written') },
  ({ in: source, out }) => {
    const model = onnx({ model: 'models/digits-mlp-v1.onnx', input: float32(64), output: float32(null) })
    const rows = from(source, float32(64)).map(row => {
      for (let i = 0; i < row.length; i++) i--
      return row
    })
    return topology('endless', [rows.runInference('infer', model).to(out, inference())])
  },
)
