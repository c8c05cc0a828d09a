// Strings in: a name, as text in a JSON object → the language that it is in, with the probability of each, keyed by id.
import {
  classOf,
  flag,
  float32,
  from,
  fromTensor,
  int64,
  json,
  type KV,
  keyed,
  kv,
  onnx,
  string,
  topology,
  utf8,
  withParameters,
} from 'kafka-run-inference'

/** schemas/name.schema.json */
export interface Name {
  readonly text: string
}

/** What a model says of one name. */
export interface Guess {
  readonly language: string
  readonly probabilities: Readonly<Record<string, number>>
  readonly modelId: string
}

const alphabetic = fromTensor(['cs', 'de', 'el', 'en', 'es', 'fi', 'fr', 'hu', 'it', 'pl', 'ru', 'tr'])
const byText = keyed(
  onnx({
    model: 'models/langid-string.onnx',
    inputs: { text: string(1) },
    outputs: { label: string(), probabilities: float32(12) },
  }),
)
  .withPreprocess(({ key, value }: KV<string, Name>) => kv(key, { text: value.text }))
  .withPostprocess(({ key, value: { inference, modelId } }): KV<string, Guess> => {
    return kv(key, { language: inference.label[0]!, probabilities: alphabetic(inference.probabilities), modelId })
  })

// This model reads code points, zeros behind them, and has a table of 1,280 characters.
const LENGTH = 32
const TABLE = 1_280
const LANGUAGES = ['en', 'de', 'fr', 'es', 'it', 'pl', 'tr', 'fi', 'hu', 'ru', 'el', 'cs'] as const
const trained = fromTensor(LANGUAGES)
const language = classOf(LANGUAGES)
const byCodePoint = (fold: boolean) =>
  keyed(
    onnx({
      model: 'models/langid-int64.onnx',
      inputs: { ids: int64(LENGTH) },
      outputs: { probabilities: float32(12), label: int64() },
    }),
  )
    .withPreprocess(({ key, value }: KV<string, Name>) => {
      const codePoints = Array.from(value.text, character => character.codePointAt(0)!)
      if (codePoints.length > LENGTH)
        throw new RangeError(`names have up to ${LENGTH} characters, got ${codePoints.length}`)
      const ids = new BigInt64Array(LENGTH)
      // A code point outside the table fails the whole batch: the row is found by bisection, and the others keep their results.
      for (const [i, codePoint] of codePoints.entries())
        ids[i] = BigInt(fold ? Math.min(codePoint, TABLE - 1) : codePoint)
      return kv(key, { ids })
    })
    .withPostprocess(({ key, value: { inference, modelId } }): KV<string, Guess> => {
      return kv(key, { language: language(inference.label), probabilities: trained(inference.probabilities), modelId })
    })

export default withParameters(
  {
    codePoints: flag('the model that reads code points instead of the one that reads strings', false),
    fold: flag('with codePoints: characters that the table lacks count as its last one, and poison nothing', false),
  },
  ({ codePoints, fold }) => {
    const guesses = from('names.written', { key: utf8(), value: json<Name>({ schema: 'name' }) }).runInference(
      'guess',
      codePoints ? byCodePoint(fold) : byText,
      { batch: { maxSize: 64 } },
    )
    return topology('language', [guesses.to('names.languages', { key: utf8(), value: json<Guess>() })])
  },
)
