/** Handlers as others write them, each in a step of its own, for lanes to import. */
import { fileURLToPath } from 'node:url'
import { json } from '../../src/kafka/json-codec.ts'
import { modelHandler } from '../../src/models/custom-handler.ts'
import { from } from '../../src/stream.ts'
import { topology } from '../../src/topology.ts'
import { ObedientHandler, type Order } from './obedient-handler.ts'

/** Written against the first version of the interface, in its own way: methods of a prototype, private fields, nothing optional. */
class ThirdPartyHandler {
  readonly name = 'third-party'
  readonly #offset = 1

  loadModel() {
    return { add: this.#offset }
  }

  *runInference(batch: readonly number[], { add }: { readonly add: number }) {
    for (const example of batch) yield example + add
  }
}

/** One that has grown members of its own, which are none of our business. */
class GrownHandler extends ThirdPartyHandler {
  readonly version = 3
  readonly client = new Map([['url', () => 'http://localhost']])
  updateModelPath(path: string) {
    return path
  }
}

/** As the one in Beam's tests: each call goes on counting where the last one ended. */
const incrementing = modelHandler({
  name: 'incrementing',
  loadModel: () => ({ count: 0 }),
  runInference: (batch: readonly number[], model: { count: number }) => batch.map(() => ++model.count),
})

const orders = from('orders', json<Order>())
const numbers = from('numbers', json<number>())
const obedient = (step: string, handler: ObedientHandler, options = {}) =>
  orders.runInference(step, modelHandler(handler), options).to('out', json())

/** The file, as loadTopology takes it. */
export const HANDLERS_FILE = fileURLToPath(import.meta.url)

const broken = (name: string, change: object) =>
  modelHandler<Order, unknown, unknown>({ name, loadModel: () => ({}), runInference: batch => batch, ...change })

export default topology('handlers', [
  obedient('obedient', new ObedientHandler('obedient')),
  obedient('with-arguments', new ObedientHandler('with-arguments'), {
    inferenceArgs: { scale: 2, of: [1, Number.NaN] },
  }),
  obedient('clumsy', new ObedientHandler('clumsy')),
  obedient('counts-without-end', new ObedientHandler('counts-without-end', Number.POSITIVE_INFINITY)),
  orders
    .runInference('timed', modelHandler(Object.assign(new ObedientHandler('timed'), { timeoutMs: 1_500 })))
    .to('out', json()),
  numbers.runInference('third-party', modelHandler(new ThirdPartyHandler())).to('out', json()),
  numbers.runInference('grown', modelHandler(new GrownHandler())).to('out', json()),
  numbers.runInference('counts-alone-1', incrementing).to('out', json()),
  numbers.runInference('counts-alone-2', incrementing).to('out', json()),
  numbers.runInference('counts-together-1', incrementing, { modelIdentifier: 'counter' }).to('out', json()),
  numbers.runInference('counts-together-2', incrementing, { modelIdentifier: 'counter' }).to('out', json()),
  orders
    .runInference('refuses-arguments', broken('refuses-arguments', { validateInferenceArgs: refuse }))
    .to('out', json()),
  orders
    .runInference('does-not-load', broken('does-not-load', { loadModel: () => Promise.reject('no weights') }))
    .to('out', json()),
  orders
    .runInference(
      'fails-its-control-batch',
      broken('fails-its-control-batch', { controlBatch: () => [1], runInference: () => [] }),
    )
    .to('out', json()),
])

function refuse(): never {
  throw new RangeError('expected scale')
}
