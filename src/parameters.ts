import { withoutCredentials } from './credentials.ts'
import { suggestion } from './nearest-name.ts'
import { badValue, type Problem, problemsError, show } from './problem.ts'
import type { Topology } from './topology.ts'

/** One parameter of a topology module, given as `--param name=value`. */
export interface Parameter<T> {
  readonly help: string
  /** Undefined: required. */
  readonly fallback: T | undefined
  readonly expects: string
  /** What its name alone means, `--param name`; undefined: it needs a value. */
  readonly bare?: T
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

/** `true` or `false`; its name alone is true. */
export function flag(help: string, fallback?: boolean): Parameter<boolean> {
  return {
    help,
    fallback,
    expects: 'true or false',
    bare: true,
    parse: value => (value === 'true' || value === 'false' ? value === 'true' : undefined),
  }
}

export type Parameters = Readonly<Record<string, Parameter<unknown>>>
type Values<P extends Parameters> = { readonly [N in keyof P]: P[N] extends Parameter<infer T> ? T : never }

/** By name what stands behind `=`; true where the name stands alone. */
export type GivenParameters = Readonly<Record<string, string | true>>

/** What a topology module with parameters exports by default. */
export interface ParameterisedTopology {
  readonly parameters: Parameters
  /** Builds the topology; throws SETTINGS_INVALID with every missing, unknown and malformed parameter. */
  readonly build: (given: GivenParameters) => Topology
}

/** Declares a topology that depends on parameters. `build` must be a pure function: every command calls it. */
export function withParameters<const P extends Parameters>(
  parameters: P,
  build: (values: Values<P>) => Topology,
): ParameterisedTopology {
  return Object.freeze({
    parameters,
    build: (given: GivenParameters) => build(readValues(parameters, given) as Values<P>),
  })
}

function readValues(parameters: Parameters, given: GivenParameters): Record<string, unknown> {
  const problems: Problem[] = []
  const values: Record<string, unknown> = {}
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(parameters, name)) continue
    const remedy = suggestion(name, Object.keys(parameters))
    problems.push({ where: `--param ${name}`, what: 'this topology has no such parameter', remedy })
  }
  for (const [name, parameter] of Object.entries(parameters)) {
    values[name] = valueHere(name, parameter, given)
    if (values[name] === undefined) problems.push(valueProblem(name, parameter, given))
  }
  if (problems.length === 0) return values
  const list = parameterLines(describeParameters(parameters, {})).map(line => `  ${line}`)
  throw problemsError('SETTINGS_INVALID', 'the parameters have', problems, ['The topology takes:', ...list])
}

/** Undefined: it is missing, or cannot be used. */
function valueHere(name: string, parameter: Parameter<unknown>, given: GivenParameters): unknown {
  const text = Object.hasOwn(given, name) ? given[name] : undefined
  if (text === undefined) return parameter.fallback
  return text === true ? parameter.bare : parameter.parse(text)
}

function valueProblem(name: string, { expects, help }: Parameter<unknown>, given: GivenParameters): Problem {
  const where = `--param ${name}`
  const text = Object.hasOwn(given, name) ? given[name] : undefined
  if (typeof text === 'string') return badValue(where, 'the value', expects, text)
  const [what, got] = text === true ? ['it needs a value', 'its name alone'] : ['it is missing', 'nothing']
  return { where, what, expected: expects, got, remedy: `Give it: --param ${name}=… (${help})` }
}

/** A parameter as `describe` and `check` show it. */
export interface ParameterDescription {
  readonly name: string
  /** What its value may be, in words. */
  readonly type: string
  /** Null: it must be given. */
  readonly default: string | number | boolean | null
  readonly help: string
  /** What it is here; null: it is missing, or what was given cannot be used. */
  readonly value: string | number | boolean | null
}

/** All parameters, with the values that they get from what is given. */
export function describeParameters(parameters: Parameters, given: GivenParameters): readonly ParameterDescription[] {
  return Object.entries(parameters).map(([name, parameter]) => ({
    name,
    type: parameter.expects,
    default: plain(parameter.fallback),
    help: parameter.help,
    value: plain(valueHere(name, parameter, given)),
  }))
}

/** A line for each; its value where that is not the default. */
export function parameterLines(parameters: readonly ParameterDescription[]): string[] {
  const width = Math.max(0, ...parameters.map(({ name }) => name.length))
  return parameters.map(({ name, type, default: fallback, help, value }) => {
    const otherwise = fallback === null ? 'required' : `default ${fallback}`
    const here = value === null || value === fallback ? '' : `: ${value}`
    return `${name.padEnd(width)}  ${help} (${type}, ${otherwise})${here}`
  })
}

function plain(value: unknown): string | number | boolean | null {
  if (value === undefined) return null
  if (typeof value === 'number' || typeof value === 'boolean') return value
  return withoutCredentials(typeof value === 'string' ? value : show(value))
}
