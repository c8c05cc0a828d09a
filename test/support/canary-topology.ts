// A handler of one's own that adds what its model id says, by a step that follows what is published.
import { from, json, keyed, modelHandler, text, topology, utf8, withParameters } from 'kafka-run-inference'

/** `picky-…` refuses odd numbers. */
const adding = (modelId: string) =>
  modelHandler<number, string, string>({
    name: 'adding',
    modelId,
    loadModel: id => id,
    runInference: (batch, id) =>
      batch.map(n => {
        if (id.startsWith('picky') && n % 2 === 1) throw new RangeError(`${n} is odd`)
        return `${n + Number(id.replace('picky-', ''))} by ${id}`
      }),
  })

export default withParameters(
  {
    in: text('topic of numbers'),
    out: text('topic for the sums'),
    model: text('what is added while nothing is published'),
    applicationId: text('consumer group, and prefix of internal topics'),
  },
  ({ in: source, out, model, applicationId }) => {
    const numbers = from(source, { key: utf8(), value: json<number>() })
    const sums = numbers.runInference('add', keyed(adding(model)), { modelMetadata: true })
    return topology('canary', [sums.to(out, { key: utf8(), value: json<string>() })], { applicationId })
  },
)
