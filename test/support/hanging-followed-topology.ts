// A step that follows what is published, on a handler whose model does not come when its id begins with "hang".
import { float32, from, json, modelHandler, text, topology, withParameters } from 'kafka-run-inference'

export default withParameters(
  {
    in: text('topic of float32 rows of 64'),
    out: text('topic for the outputs'),
    model: text('id of the model that serves while nothing is published'),
    applicationId: text('consumer group, and prefix of internal topics'),
  },
  ({ in: source, out, model, applicationId }) => {
    const handler = modelHandler({
      name: 'sums',
      modelId: model,
      loadModel: (id: string) => (id.startsWith('hang') ? new Promise<never>(() => {}) : id),
      runInference: (batch: readonly Float32Array[]) => batch.map(row => row.reduce((sum, x) => sum + x, 0)),
    })
    const rows = from(source, float32(64)).runInference('infer', handler, { modelMetadata: true })
    return topology('followed', [rows.to(out, json<number>())], { applicationId })
  },
)
