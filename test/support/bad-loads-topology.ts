/**
 * Three steps that follow what is published, side by side: an ONNX model in a thread, and handlers of one's own in a thread and in a
 * process, which do while they load what their model id says. Each writes what it gave, under the id of the model.
 */
import { float32, from, json, modelHandler, onnx, text, topology, withParameters } from 'kafka-run-inference'

export interface Labelled {
  readonly modelId: string
  readonly y: readonly number[]
}

/** What a handler loads for `add-7`. */
export const addedBy = (modelId: string): number => Number(/^add-(\d+)$/.exec(modelId)?.[1])

interface Adding {
  readonly modelId: string
  readonly added: number
}

function load(modelId: string): Adding {
  const hoard: number[][] = []
  if (modelId === 'exits') process.exit(7)
  // Keeps its thread as a loop does, and leaves the processor to others.
  if (modelId === 'blocks') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  if (modelId === 'hoards') for (;;) hoard.push(new Array(100_000).fill(0.5))
  return { modelId, added: addedBy(modelId) }
}

function adding(name: string, isolation: 'thread' | 'process') {
  return modelHandler<Float32Array, Labelled, Adding>({
    ...{ name, isolation, modelId: 'add-1', loadModel: load },
    runInference: (batch, { added, modelId }) => batch.map(x => ({ modelId, y: [(x[0] ?? Number.NaN) + added] })),
    controlBatch: () => [new Float32Array(64)],
    // A heap that is soon full.
    ...(isolation === 'process' ? { envVars: { NODE_OPTIONS: '--max-old-space-size=96' } } : {}),
  })
}

export default withParameters(
  {
    in: text('topic of float32 rows of 64'),
    out: text('prefix of the topics of outputs, one for each step'),
    model: text('path of the model that step infer names itself'),
    applicationId: text('consumer group, and prefix of internal topics'),
  },
  ({ in: source, out, model, applicationId }) => {
    const rows = from(source, float32(64))
    const codec = json<Labelled>()
    const options = { modelMetadata: true }
    const digits = onnx({ model, input: float32(64), output: float32(null) })
    return topology(
      'bad-loads',
      [
        rows
          .runInference('infer', digits, options)
          .map(({ modelId, inference }): Labelled => ({ modelId, y: [...inference] }))
          .to(`${out}.infer`, codec),
        rows.runInference('threaded', adding('threaded', 'thread'), options).to(`${out}.threaded`, codec),
        rows.runInference('apart', adding('apart', 'process'), options).to(`${out}.apart`, codec),
      ],
      { applicationId },
    )
  },
)
