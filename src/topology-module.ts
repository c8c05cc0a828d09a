import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { RunInferenceError } from './errors.ts'
import type { ParameterisedTopology } from './parameters.ts'
import { assertValid, isTopology, type Topology } from './topology.ts'

/**
 * Imports a topology module and gives its topology, validated. The default export is a topology, or `withParameters(…)`.
 * Throws SETTINGS_INVALID (parameters), TOPOLOGY_INVALID (no such module, another export, problems of the graph).
 */
export async function loadTopology(file: string, parameters: Readonly<Record<string, string>> = {}): Promise<Topology> {
  const exported = await importDefault(file)
  const built = isParameterised(exported) ? exported.build(parameters) : exported
  if (!isTopology(built)) {
    throw new RunInferenceError(
      'TOPOLOGY_INVALID',
      `${file}: expected a default export made by topology(…) or withParameters(…), got ${exported === undefined ? 'none' : typeof exported}`,
    )
  }
  if (!isParameterised(exported) && Object.keys(parameters).length > 0) {
    throw new RunInferenceError(
      'SETTINGS_INVALID',
      `${file} takes no parameters, got ${Object.keys(parameters).join(', ')}`,
    )
  }
  assertValid(built)
  return built
}

async function importDefault(file: string): Promise<unknown> {
  try {
    const module = (await import(pathToFileURL(resolve(file)).href)) as { default?: unknown }
    return module.default
  } catch (error) {
    throw RunInferenceError.from(error, 'TOPOLOGY_INVALID', `cannot import the topology module ${file}`)
  }
}

function isParameterised(value: unknown): value is ParameterisedTopology {
  return typeof value === 'object' && value !== null && 'parameters' in value && 'build' in value
}
