/**
 * Which execution provider a model runs on. onnxruntime-node does not fall back from one to the next, and passes over names
 * that it does not know, so providers are tried one by one here. Knows nothing of onnxruntime's calls: `open` makes them.
 *
 * 1. Providers are tried in the given order, each at most once, until one opens the model; `required` tries the first only.
 * 2. A name that is no provider is an error before anything is tried.
 * 3. MODEL_UNUSABLE from `open` is the model's own fault on any provider: it ends the search. Everything else is a refusal.
 * 4. Every refusal is told with its reason: beside what was opened, or in the error when nothing was.
 */
import { RunInferenceError } from '../errors.ts'
import { type OnnxSpec, PROVIDERS, type Provider } from './executor.ts'
import { explainRefusal } from './provider-refusals.ts'

/** A provider that did not take the model, and why. */
export interface Refusal {
  readonly provider: Provider
  readonly reason: string
}

export interface Selection<T> {
  readonly opened: T
  readonly provider: Provider
  /** Those that were tried before it, in order. */
  readonly refused: readonly Refusal[]
}

/** Opens the model on the first provider that takes it; rejects MODEL_UNUSABLE, naming `model`, when none does. */
export async function selectProvider<T>(
  model: string,
  { providers, providerPolicy }: Pick<OnnxSpec, 'providers' | 'providerPolicy'>,
  open: (provider: Provider) => Promise<T>,
): Promise<Selection<T>> {
  const unknown = providers.filter(provider => !PROVIDERS.includes(provider))
  if (unknown.length > 0) {
    throw unusable(`${model} asks for ${unknown.join(', ')}: there are ${PROVIDERS.join(', ')}. Correct the name`)
  }
  const refused: Refusal[] = []
  for (const provider of new Set(providerPolicy === 'required' ? providers.slice(0, 1) : providers)) {
    try {
      return { opened: await open(provider), provider, refused }
    } catch (error) {
      if (error instanceof RunInferenceError && error.code === 'MODEL_UNUSABLE') throw error
      refused.push({ provider, reason: explainRefusal(provider, error) })
    }
  }
  const reasons = refused.map(({ provider, reason }) => `${provider}: ${reason}`).join('; ')
  const only = providerPolicy === 'required' && providers.length > 0 ? ` (${providers[0]} is required)` : ''
  throw unusable(
    `${model} is refused by every provider${only}: ${reasons || 'none was given'}. ` +
      'Use a file that onnxruntime loads, or another provider',
  )
}

function unusable(message: string): RunInferenceError {
  return new RunInferenceError('MODEL_UNUSABLE', `${message}.`)
}
