import type { LaneModel, LoadedModel } from './executor.ts'

/** A step's model at work on one execution provider: what health and metrics say of it. */
export interface ServedModel extends Pick<LoadedModel, 'modelId' | 'provider' | 'partlyOnCpu' | 'refusedProviders'> {
  readonly step: string
  /** How many lanes run it there. */
  readonly lanes: number
}

/** One entry for each step and provider, as it is now: a lane that lost its worker may have come back on another one. */
export function servedModels(
  steps: Iterable<readonly [step: string, models: Iterable<Pick<LaneModel, 'loaded'>>]>,
): ServedModel[] {
  const served = new Map<string, ServedModel>()
  for (const [step, models] of steps) {
    for (const { loaded } of models) {
      const { modelId, provider, partlyOnCpu, refusedProviders } = loaded
      const key = JSON.stringify([step, modelId, provider])
      const lanes = (served.get(key)?.lanes ?? 0) + 1
      served.set(key, { step, modelId, provider, partlyOnCpu, lanes, refusedProviders })
    }
  }
  return [...served.values()]
}
