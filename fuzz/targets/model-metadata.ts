/** What is published about the models of a step: for one model, for keys, for what is neither. */
import type { StepNode } from '../../src/graph.ts'
import { type PublishedModels, publishedByCohort } from '../../src/model-metadata.ts'
import { must, type Target, type TargetSource } from '../target.ts'

const one = { step: 's', handler: { cohorts: [{}] } } as unknown as StepNode
const perKey = {
  step: 's',
  handler: { cohorts: [{ keys: ['a', 'b'] }, { keys: ['c', 1, null] }] },
} as unknown as StepNode

function run(bytes: Buffer): void {
  const node = ((bytes[0] ?? 0) & 1) === 0 ? one : perKey
  const published = publishedFrom(bytes.subarray(1))
  const cohorts = publishedByCohort(node, published)
  must(cohorts.length === node.handler.cohorts.length, 'every model of the handler has an answer')
  if (!(published instanceof Map)) return
  for (const [i, { keys = [] }] of node.handler.cohorts.entries())
    for (const key of keys)
      must((cohorts[i]?.modelId ?? '') === (published.get(key)?.modelId ?? ''), 'a key has what was published for it')
}

/** Text that is no JSON: nothing was published. */
function publishedFrom(bytes: Buffer): PublishedModels | undefined {
  let value: unknown
  try {
    value = JSON.parse(bytes.toString())
  } catch {
    return undefined
  }
  const isPair = (entry: unknown) => Array.isArray(entry) && entry.length === 2 && isMetadata(entry[1])
  if (Array.isArray(value)) return value.every(isPair) ? new Map(value as [unknown, never][]) : undefined
  return isMetadata(value) ? (value as PublishedModels) : undefined
}

function isMetadata(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'modelId' in value && typeof value.modelId === 'string'
}

export const modelMetadata: TargetSource = {
  name: 'model-metadata',
  about: 'what is published about the models of a step',
  open: (): Target => ({
    seeds: [
      '0{"modelId":"v2","modelName":"digits"}',
      '1[["a",{"modelId":"v2","modelName":"x"}],["b",{"modelId":"v2","modelName":"x"}],["c",{"modelId":"v3","modelName":"y"}]]',
      '1[[1,{"modelId":"","modelName":""}],[null,{"modelId":"","modelName":""}]]',
      '0[]',
    ].map(text => Buffer.from(text)),
    tokens: [
      '"modelId":"',
      '["a",',
      '["d",',
      '{"modelId":"v4","modelName":"z"}',
      '],',
      '[',
      ']',
      '"__proto__"',
      '1',
      'null',
    ].map(token => Buffer.from(token)),
    codes: ['SETTINGS_INVALID'],
    run,
  }),
}
