// The examples of docs/batching.md, checked by tsc; nothing here is executed.
import { float32, from, int64, json, type KV, keyed, kv, onnx, padded, utf8 } from 'kafka-run-inference'

interface Review {
  readonly language: string
  readonly tokens: readonly number[]
}
const reviews = from('reviews', { key: utf8(), value: json<Review>() })

const sentiment = onnx({
  model: 'models/sentiment.onnx',
  inputs: { ids: padded(int64(null), { with: 0n, mask: 'attention_mask', multipleOf: 8 }) },
  outputs: { score: float32() },
})

const scored = keyed(sentiment)
  .withPreprocess(({ key, value }: KV<string, Review>) => kv(key, { ids: value.tokens.map(BigInt) }))
  .withPostprocess(({ key, value }) => kv(key, { score: value.inference.score[0]! }))

export const byLength = reviews.runInference('sentiment', scored, {
  batch: { maxSize: 256, maxBytes: 1_000_000, bucketBy: { boundaries: [32, 128, 512] } },
})

export const byLanguage = reviews.runInference('by-language', scored, {
  batch: { bucketBy: ({ value }) => value.language },
})

export const byWeight = reviews.runInference('by-weight', scored, {
  batch: { sizeOf: ({ value }) => value.tokens.length ** 2, maxTotalSize: 500_000 },
})

export const patient = reviews.runInference('patient', scored, {
  batch: { maxSize: 512, minSize: 64, maxWaitMs: 20 },
})

export const learning = reviews.runInference('learning', scored, {
  batch: { maxSize: 4_096, adaptive: { minSize: 32, targetBatchDurationIncludingFixedCostMs: 50 } },
})
