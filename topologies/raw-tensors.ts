// The smallest topology: float32 rows in, rows of the model's first float32 output out, under the same key.
import { flag, float32, from, inference, integer, onnx, text, topology, withParameters } from 'kafka-run-inference'

export default withParameters(
  {
    in: text('topic of little-endian float32 rows', 'raw.in'),
    out: text('topic for the rows of the first float32 output', 'raw.out'),
    model: text('path of the ONNX model: one input of [batch, width]'),
    width: integer('numbers in a row'),
    applicationId: text('consumer group, and prefix of internal topics', 'raw-tensors'),
    maxBatch: integer('most rows in a batch', 512),
    provenance: flag('write the kri-source header', true),
    isolated: flag('run the model in a process of its own', false),
  },
  ({ in: source, out, model, width, applicationId, maxBatch, provenance, isolated }) => {
    const isolation = isolated ? 'process' : 'thread'
    const handler = onnx({ model, input: float32(width), output: float32(null), isolation })
    const rows = from(source, float32(width)).runInference('infer', handler, { batch: { maxSize: maxBatch } })
    return topology('raw-tensors', [rows.to(out, inference())], { applicationId, provenance })
  },
)
