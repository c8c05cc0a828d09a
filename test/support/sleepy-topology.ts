// A handler that does not return for some examples: for tests that end it.
import { from, json, modelHandler, topology } from 'kafka-run-inference'

const sleepy = modelHandler<number, number, { calls: number }>({
  name: 'sleepy',
  timeoutMs: 400,
  // How often this copy of the model has been called shows whether it is the one from before.
  loadModel: () => ({ calls: 0 }),
  runInference(batch, model) {
    model.calls++
    while (batch.some(example => example < 0));
    return batch.map(() => model.calls)
  },
})

export default topology('sleepy', [
  from('in', json<number>())
    .runInference('sleep', sleepy, { batch: { maxSize: 1 } })
    .to('out', json<number>()),
])
