import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { RunInferenceError } from './errors.ts'
import { cycleProblem, importProblem, pathProblem } from './import-problems.ts'
import { traceImports } from './import-trace.ts'
import { sleep, systemClock } from './ops/clock.ts'
import type { GivenParameters, ParameterisedTopology, Parameters } from './parameters.ts'
import { type Problem, problemText, show } from './problem.ts'
import { assertValid, isTopology, type Topology } from './topology.ts'

/** A module that takes longer waits for something that will not come. */
const IMPORT_MS = 10_000

export interface TopologyModule {
  /** None, where the default export is a topology. */
  readonly parameters: Parameters
  /** What is not wrong, and will be one day. */
  readonly warnings: readonly Problem[]
  /** The topology, not validated yet. Throws as `loadTopology`, but for problems of the graph. */
  build(given: GivenParameters): Topology
}

/**
 * Imports a topology module and gives its topology, validated. The default export is a topology, or `withParameters(…)`.
 * Throws SETTINGS_INVALID (parameters), TOPOLOGY_INVALID (no such module, another export, problems of the graph).
 */
export async function loadTopology(file: string, parameters: GivenParameters = {}): Promise<Topology> {
  const topology = (await importTopology(file)).build(parameters)
  assertValid(topology)
  return topology
}

/** Imports the module alone: `check` goes on with parameters and a graph that have problems. */
export async function importTopology(file: string): Promise<TopologyModule> {
  const { exports, warnings } = await importModule(file)
  const exported = exports.default
  return {
    parameters: isParameterised(exported) ? exported.parameters : {},
    warnings,
    build(given) {
      const built = isParameterised(exported) ? build(file, exported, given) : exported
      if (!isTopology(built)) throw invalid(exportProblem(file, exports, built))
      if (!isParameterised(exported)) refuseParameters(file, given)
      return Object.freeze({ ...built, module: { file: resolve(file), parameters: given } })
    },
  }
}

function refuseParameters(file: string, given: GivenParameters): void {
  const names = Object.keys(given)
  if (names.length === 0) return
  const problem = {
    where: file,
    what: 'it takes no parameters',
    got: names.map(name => `--param ${name}`).join(', '),
    remedy: 'Leave them out, or export withParameters(…) by default',
  }
  throw new RunInferenceError('SETTINGS_INVALID', problemText(problem), { problems: [problem] })
}

async function importModule(
  file: string,
): Promise<{ readonly exports: { readonly default?: unknown }; readonly warnings: readonly Problem[] }> {
  const wrongPath = pathProblem(file)
  if (wrongPath) throw invalid(wrongPath)
  const trace = traceImports()
  const enough = new AbortController()
  try {
    const importing = import(pathToFileURL(resolve(file)).href) as Promise<{ default?: unknown }>
    const deadline = sleep(systemClock, IMPORT_MS, enough.signal).then(() => undefined)
    // The timer of the deadline does not keep the process alive: without this one a wait for nothing would end it silently.
    const alive = setInterval(() => {}, IMPORT_MS)
    const exports = await Promise.race([importing, deadline]).finally(() => clearInterval(alive))
    if (exports === undefined) throw invalid(neverEnds(file))
    return { exports, warnings: trace.cycles().map(cycleProblem) }
  } catch (error) {
    if (error instanceof RunInferenceError && error.problems.length > 0) throw error
    throw invalid(importProblem(file, error, trace), error)
  } finally {
    enough.abort()
    trace.stop()
  }
}

function build(file: string, exported: ParameterisedTopology, given: GivenParameters): unknown {
  try {
    return exported.build(given)
  } catch (error) {
    if (error instanceof RunInferenceError) throw error
    const problem = {
      where: file,
      what: 'withParameters(…) cannot build the topology from these values',
      got: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
      remedy: 'Correct the function, or give other parameters',
    }
    throw invalid(problem, error)
  }
}

function exportProblem(file: string, exports: { readonly default?: unknown }, got: unknown): Problem {
  const expected = 'a topology made by topology(…) or withParameters(…)'
  const problem = (what: string, text: string, remedy: string): Problem => ({
    where: file,
    what,
    expected,
    got: text,
    remedy,
  })
  const named = Object.entries(exports).find(([, value]) => isTopology(value) || isParameterised(value))?.[0]
  if (!('default' in exports)) {
    const remedy = named === undefined ? 'Write export default topology(…)' : `Write export default ${named}`
    return problem('there is no default export', named === undefined ? 'none' : `an export named ${named}`, remedy)
  }
  const what = 'the default export is no topology'
  if (got instanceof Promise) return problem(what, 'a promise', 'Wait for it: export default await …')
  if (typeof got === 'function')
    return problem(what, 'a function', 'Export what it returns, or withParameters(parameters, function)')
  const inner = typeof got === 'object' && got !== null && 'default' in got ? got.default : undefined
  if (isTopology(inner) || isParameterised(inner))
    return problem(what, 'an object with the topology inside', 'In CommonJS write module.exports = topology(…)')
  return problem(what, got === undefined ? 'none' : show(got), 'Write export default topology(…)')
}

function neverEnds(file: string): Problem {
  return {
    where: file,
    what: 'importing it does not end',
    expected: `a module that is there within ${IMPORT_MS / 1000} s`,
    got: 'a top-level await that still waits',
    remedy: 'Leave out what waits; a topology module only describes the graph',
  }
}

function invalid(problem: Problem, cause?: unknown): RunInferenceError {
  return new RunInferenceError('TOPOLOGY_INVALID', problemText(problem), { problems: [problem], cause })
}

function isParameterised(value: unknown): value is ParameterisedTopology {
  return typeof value === 'object' && value !== null && 'parameters' in value && 'build' in value
}
