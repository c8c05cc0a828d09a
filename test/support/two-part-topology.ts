// Two parts that share nothing: a.in to a.out, b.in to b.out.
import { float32, from, inference, onnx, text, topology, withParameters } from 'kafka-run-inference'

export default withParameters({ prefix: text('of all names') }, ({ prefix }) => {
  const model = onnx({ model: 'models/digits-mlp-v1.onnx', input: float32(64), output: float32(null) })
  const branch = (name: string) =>
    from(`${prefix}${name}.in`, float32(64)).runInference(name, model).to(`${prefix}${name}.out`, inference())
  return topology(`${prefix}two`, [branch('a'), branch('b')])
})
