// A handler of one's own in a thread that does not return, be it while it loads or when it runs.
import { from, json, modelHandler, text, topology, withParameters } from 'kafka-run-inference'

const never = new Promise<never>(() => {})

export default withParameters({ hangs: text('load, spin, run or block') }, ({ hangs }) => {
  const handler = modelHandler({
    name: 'hanging',
    loadModel() {
      if (hangs === 'spin') for (;;);
      return hangs === 'load' ? never : 'loaded'
    },
    runInference(batch: readonly unknown[]) {
      if (hangs === 'run') return never
      // Keeps its thread as a loop does, and leaves the processor to others.
      if (hangs === 'block') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
      return batch
    },
  })
  return topology('hanging', [from('in', json()).runInference('hang', handler).to('out', json())])
})
