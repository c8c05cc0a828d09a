// A model that is no ONNX file: how urgent a support ticket is, from the weights of its words. The handler is written here, in
// plain TypeScript; lanes import this module again and run it.
import { readFile } from 'node:fs/promises'
import {
  type CustomHandler,
  from,
  type InferenceArgs,
  json,
  type KV,
  keyed,
  kv,
  modelHandler,
  type PredictionResult,
  predictionResult,
  topology,
  utf8,
} from 'kafka-run-inference'

export interface Ticket {
  readonly text: string
}
export interface Urgency {
  readonly isUrgent: boolean
  readonly probability: number
  readonly modelId: string
}

/** A logistic regression over words. */
interface WordModel {
  readonly modelId: string
  readonly bias: number
  readonly weights: Readonly<Record<string, number>>
}
type Verdict = PredictionResult<string, number>

class WordWeights implements CustomHandler<string, Verdict, WordModel> {
  readonly name = 'word-weights'
  readonly modelId = 'models/urgency-words.json'

  async loadModel(modelId: string): Promise<WordModel> {
    return { modelId, ...JSON.parse(await readFile(modelId, 'utf8')) }
  }

  runInference(batch: readonly string[], model: WordModel, args: InferenceArgs = {}): Verdict[] {
    const { modelId, bias, weights } = model
    return batch.map(text => {
      const words = text.toLowerCase().match(/\p{L}+/gu) ?? []
      const sum = words.reduce((total, word) => total + (weights[word] ?? 0), bias)
      return predictionResult(text, 1 / (1 + Math.exp(-sum / Number(args.temperature))), modelId)
    })
  }

  validateInferenceArgs({ temperature }: InferenceArgs = {}): void {
    if (!(Number(temperature) > 0)) throw new RangeError(`temperature: expected a number above 0, got ${temperature}`)
  }

  controlBatch(): readonly string[] {
    return ['production is down', '']
  }

  getNumBytes(batch: readonly string[]): number {
    return batch.reduce((sum, text) => sum + text.length, 0)
  }
}

const urgency = keyed(modelHandler(new WordWeights()))
  .withPreprocess(({ key, value }: KV<string, Ticket>) => kv(key, value.text))
  .withPostprocess(({ key, value }: KV<string, Verdict>): KV<string, Urgency> => {
    const { inference: probability, modelId } = value
    return kv(key, { isUrgent: probability > 0.5, probability, modelId })
  })

const judged = from('tickets.opened', { key: utf8(), value: json<Ticket>() }).runInference('urgency', urgency, {
  inferenceArgs: { temperature: 1.5 },
})

export default topology('tickets', [judged.to('tickets.urgency', { key: utf8(), value: json<Urgency>() })])
