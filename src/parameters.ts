import { suggestion } from './nearest-name.ts'
import { badValue, type Problem, problemsError } from './problem.ts'
import type { Topology } from './topology.ts'

/** One parameter of a topology module, given as `--param name=value`. */
export interface Parameter<T> {
  readonly help: string
  /** Undefined: required. */
  readonly fallback: T | undefined
  readonly expects: string
  /** Undefined: the text is not a value of this kind. */
  readonly parse: (text: string) => T | undefined
}

/** A text parameter. */
export function text(help: string, fallback?: string): Parameter<string> {
  return { help, fallback, expects: 'text', parse: value => (value === '' ? undefined : value) }
}

/** A whole number from `min`. */
export function integer(help: string, fallback?: number, min = 1): Parameter<number> {
  return {
    help,
    fallback,
    expects: `a whole number from ${min}`,
    parse(value) {
      const number = Number(value)
      return value.trim() !== '' && Number.isSafeInteger(number) && number >= min ? number : undefined
    },
  }
}

/** `true` or `false`. */
export function flag(help: string, fallback?: boolean): Parameter<boolean> {
  return {
    help,
    fallback,
    expects: 'true or false',
    parse: value => (value === 'true' || value === 'false' ? value === 'true' : undefined),
  }
}

type Parameters = Readonly<Record<string, Parameter<unknown>>>
type Values<P extends Parameters> = { readonly [N in keyof P]: P[N] extends Parameter<infer T> ? T : never }

/** What a topology module with parameters exports by default. */
export interface ParameterisedTopology {
  readonly parameters: Parameters
  /** Builds the topology; throws SETTINGS_INVALID with every missing, unknown and malformed parameter. */
  readonly build: (given: Readonly<Record<string, string>>) => Topology
}

/** Declares a topology that depends on parameters. `build` must be a pure function: lanes call it again with the same values. */
export function withParameters<const P extends Parameters>(
  parameters: P,
  build: (values: Values<P>) => Topology,
): ParameterisedTopology {
  return Object.freeze({
    parameters,
    build: (given: Readonly<Record<string, string>>) => build(readValues(parameters, given) as Values<P>),
  })
}

function readValues(parameters: Parameters, given: Readonly<Record<string, string>>): Record<string, unknown> {
  const problems: Problem[] = []
  const values: Record<string, unknown> = {}
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(parameters, name)) continue
    const remedy = suggestion(name, Object.keys(parameters))
    problems.push({ where: `--param ${name}`, what: 'this topology has no such parameter', remedy })
  }
  for (const [name, parameter] of Object.entries(parameters)) {
    const { fallback, expects, help } = parameter
    const where = `--param ${name}`
    const text = Object.hasOwn(given, name) ? given[name] : undefined
    values[name] = text === undefined ? fallback : parameter.parse(text)
    if (values[name] !== undefined) continue
    if (text !== undefined) problems.push(badValue(where, 'the value', expects, text))
    else {
      const remedy = `Give it: --param ${name}=… (${help})`
      problems.push({ where, what: 'it is missing', expected: expects, got: 'nothing', remedy })
    }
  }
  if (problems.length > 0) throw problemsError('SETTINGS_INVALID', 'the parameters have', problems)
  return values
}
