import { RunInferenceError } from '../errors.ts'
import { type EnvVars, hasEnvVars, joinedEnvVars } from './env-vars.ts'
import type { Executor, Lane, ModelSpec } from './executor.ts'

type Placed = Pick<ModelSpec, 'isolation' | 'providers' | 'envVars'>

export interface LanesNeeded {
  readonly threads: number
  /** Child processes, by the environment variables that their models share. */
  readonly processes: readonly { readonly envVars: EnvVars; readonly lanes: number }[]
}

/** How many lanes of each kind these models need, when so many are asked for: one is enough for all that want a GPU. */
export function lanesNeeded(specs: readonly Placed[], lanes: number): LanesNeeded {
  const needed = (here: readonly Placed[]) => (here.every(isOnDevice) ? Math.min(here.length, 1) : lanes)
  const inProcesses = specs.filter(({ isolation }) => isolation === 'process')
  const environments = joinedEnvVars(inProcesses)
  const sharing = (envVars: EnvVars) => inProcesses.filter(spec => environmentOf(spec, environments) === envVars)
  return {
    threads: needed(specs.filter(({ isolation }) => isolation === 'thread')),
    processes: environments.map(envVars => ({ envVars, lanes: needed(sharing(envVars)) })),
  }
}

/**
 * The lanes that load a model: all of its kind and environment, or as many of them as it is to have copies; for one on a GPU,
 * the first. Throws TOPOLOGY_INVALID for more copies than there are such lanes; the test driver has as many as it has.
 */
export function lanesFor(
  executor: Pick<Executor, 'lanes'>,
  spec: Placed & Pick<ModelSpec, 'uri'>,
  copies?: number,
): readonly Lane[] {
  const ofKind = executor.lanes.filter(({ isolation }) => isolation === 'any' || isolation === spec.isolation)
  const environments = ofKind.map(({ envVars }) => envVars).filter(envVars => envVars !== undefined)
  const environment = environmentOf(spec, environments)
  const fitting = ofKind.filter(({ isolation, envVars }) => isolation !== 'process' || envVars === environment)
  const usable = isOnDevice(spec) ? fitting.slice(0, 1) : fitting
  if (copies !== undefined && copies > usable.length && usable.every(({ isolation }) => isolation !== 'any')) {
    const there = isOnDevice(spec)
      ? 'models on a GPU share one lane'
      : `there ${usable.length === 1 ? 'is 1 lane' : `are ${usable.length} lanes`} for it`
    throw new RunInferenceError(
      'TOPOLOGY_INVALID',
      `${spec.uri}: modelCopies is ${copies}, and ${there}. Set modelCopies lower, or --lanes higher`,
    )
  }
  return usable.slice(0, copies)
}

/** The first that has what the model asks for: when it was made, the model may have been joined to it. */
function environmentOf({ envVars }: Placed, environments: readonly EnvVars[]): EnvVars | undefined {
  return environments.find(vars => hasEnvVars(vars, envVars))
}

/** What is asked for first is a GPU. */
function isOnDevice({ providers: [first] }: Placed): boolean {
  return first !== undefined && first !== 'cpu'
}
