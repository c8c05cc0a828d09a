// A handler of one's own in a thread that does not return, be it while it loads or when it runs.
import { from, json, modelHandler, text, topology, withParameters } from 'kafka-run-inference'

const never = new Promise<never>(() => {})

export default withParameters({ hangs: text('load, spin, run or loop') }, ({ hangs }) => {
  const handler = modelHandler({
    name: 'hanging',
    loadModel() {
      if (hangs === 'spin') for (;;);
      return hangs === 'load' ? never : 'loaded'
    },
    runInference(batch: readonly unknown[]) {
      if (hangs === 'run') return never
      if (hangs === 'loop') for (;;);
      return batch
    },
  })
  return topology('hanging', [from('in', json()).runInference('hang', handler).to('out', json())])
})
