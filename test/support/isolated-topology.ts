// Float32 rows through a model in a process of its own, which has little time.
import { float32, from, inference, integer, onnx, text, topology, withParameters } from 'kafka-run-inference'

export default withParameters(
  {
    name: text('of the topology; it reads <name>.in and writes <name>.out'),
    timeoutMs: integer('how long a call may take', 60_000),
  },
  ({ name, timeoutMs }) => {
    const model = onnx({
      ...{ model: 'models/digits-mlp-v1.onnx', input: float32(64), output: float32(10) },
      ...{ isolation: 'process', timeoutMs },
    })
    const rows = from(`${name}.in`, float32(64)).runInference('infer', model, { batch: { maxSize: 16 } })
    return topology(name, [rows.to(`${name}.out`, inference())])
  },
)
