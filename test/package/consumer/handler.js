// A handler in plain JavaScript, for lanes of both kinds: each imports this file again.
import { from, json, modelHandler, text, topology, withParameters } from 'kafka-run-inference'

class Doubling {
  name = 'doubling'
  #factor = 2

  constructor(isolation) {
    this.isolation = isolation
  }

  async loadModel() {
    return { factor: this.#factor }
  }

  *runInference(batch, { factor }) {
    for (const { value } of batch) yield { doubled: value * factor }
  }
}

export default withParameters({ isolation: text('thread or process', 'thread') }, ({ isolation }) =>
  topology('handler', [
    from('numbers', json())
      .runInference('double', modelHandler(new Doubling(isolation)))
      .to('doubled', json()),
  ]),
)
