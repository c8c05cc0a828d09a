/** What can be wrong with a model handler's settings, before any file is opened. */
import { customProblems } from './custom-problems.ts'
import { isDuration } from './function-problems.ts'
import { PROVIDERS, type SessionOptions } from './models/executor.ts'
import type { HandlerModel, OnnxModel } from './models/model-handler.ts'
import { ARRAYS, type TensorSpec } from './models/tensors.ts'
import { badValue, isWhole, type Problem, unknownNames } from './problem.ts'

const DTYPES = [...Object.keys(ARRAYS), 'string']
const OPTIMISATION = ['disabled', 'basic', 'extended', 'layout', 'all']
const MAX_CONFIG_KEY = 1024
const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/** onnxruntime's own options that have another place here, or none, and what to do instead. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  intraOpNumThreads: 'It is a setting of onnx() itself',
  executionProviders: 'Use providers of onnx()',
  extra: 'Use config, with flat keys: { "session.…": "…" }',
  externalData: 'Leave it out: weights beside the model file are found',
  freeDimensionOverrides: 'onnxruntime-node does not read it: fix the dimension in the model file',
}

const yesOrNo = { expected: 'true or false', holds: (value: unknown) => typeof value === 'boolean' }
const SESSION_OPTIONS: Readonly<
  Record<keyof SessionOptions, { readonly expected: string; holds(value: unknown): boolean }>
> = {
  graphOptimizationLevel: oneOf(OPTIMISATION),
  enableCpuMemArena: yesOrNo,
  enableMemPattern: yesOrNo,
  executionMode: oneOf(['sequential', 'parallel']),
  interOpNumThreads: { expected: 'a whole number from 1', holds: isWhole },
  config: { expected: `texts by keys of 1 to ${MAX_CONFIG_KEY} letters`, holds: isConfig },
}

/**
 * `maxRows`: no batch can have more, so none is warmed up with more. `isPublished`: the step's models can be published, so that
 * the handler need not name one.
 */
export function handlerProblems(at: string, model: HandlerModel, maxRows: number, isPublished = false): Problem[] {
  return [
    ...(model.kind === 'onnx' ? onnxProblems(at, model, maxRows, isPublished) : customProblems(at, model)),
    ...placeProblems(at, model),
    ...envProblems(at, model.envVars),
  ]
}

function onnxProblems(at: string, model: OnnxModel, maxRows: number, isPublished: boolean): Problem[] {
  return [
    ...fileProblems(at, model, isPublished),
    ...tensorProblems(at, 'input', model.inputs),
    ...tensorProblems(at, 'output', model.outputs),
    ...providerProblems(at, model),
    ...sessionProblems(at, model.sessionOptions),
    ...callProblems(at, model, maxRows),
  ]
}

function fileProblems(where: string, { uri }: OnnxModel, isPublished: boolean): Problem[] {
  if (typeof uri === 'string' && (uri !== '' || isPublished)) return []
  const remedy = 'Give its path: onnx({ model: "….onnx" }); or leave it out and give the step modelMetadata: true'
  return [{ where, what: 'the handler names no model file', remedy }]
}

function tensorProblems(where: string, side: 'input' | 'output', specs: Readonly<Record<string, TensorSpec>>) {
  const problems: Problem[] = []
  if (Object.keys(specs).length === 0) {
    problems.push({ where, what: `the handler declares no ${side}s`, remedy: `Declare at least one in ${side}s` })
  }
  for (const [name, { dtype, shape }] of Object.entries(specs)) {
    const at = `${where}, ${side} "${name}"`
    if (!DTYPES.includes(dtype)) problems.push(badValue(at, 'the dtype', `one of ${DTYPES.join(', ')}`, dtype))
    if (shape.some(size => size !== null && !isWhole(size))) {
      problems.push(badValue(at, 'the shape', 'dimensions that are whole numbers from 1, or null for any', shape))
    } else if (shape.filter(size => size === null).length > 1) {
      problems.push(badValue(at, 'the shape', 'at most one open dimension (null)', shape))
    }
  }
  return problems
}

function providerProblems(at: string, { providers, providerPolicy }: OnnxModel): Problem[] {
  const problems: Problem[] = []
  const known = PROVIDERS.join(', ')
  if (!Array.isArray(providers) || providers.length === 0) {
    problems.push(badValue(at, 'providers', `a list of ${known}; ['cpu'] is the least`, providers))
  } else {
    for (const provider of providers)
      if (!PROVIDERS.includes(provider)) problems.push(badValue(at, 'providers', `some of ${known}`, provider))
  }
  if (providerPolicy !== 'required' && providerPolicy !== 'preferred')
    problems.push(badValue(at, 'providerPolicy', 'required or preferred', providerPolicy))
  return problems
}

function sessionProblems(at: string, options: SessionOptions): Problem[] {
  const where = `${at}, sessionOptions`
  const problems = unknownNames(where, 'option', options, Object.keys(SESSION_OPTIONS), ELSEWHERE)
  for (const [name, { expected, holds }] of Object.entries(SESSION_OPTIONS)) {
    const value = options[name as keyof SessionOptions]
    if (value !== undefined && !holds(value)) problems.push(badValue(where, name, expected, value))
  }
  return problems
}

function callProblems(at: string, { intraOpNumThreads, warmUpRows }: OnnxModel, maxRows: number): Problem[] {
  const problems: Problem[] = []
  if (!isWhole(intraOpNumThreads))
    problems.push(badValue(at, 'intraOpNumThreads', 'a whole number from 1', intraOpNumThreads))
  const sizes = Array.isArray(warmUpRows) && warmUpRows.length > 0 && warmUpRows.every(isWhole)
  if (!sizes || Math.max(...warmUpRows) > maxRows)
    problems.push(badValue(at, 'warmUpRows', `a list of whole numbers from 1 to ${maxRows}`, warmUpRows))
  return problems
}

/** Where a model runs, how often, and how long a call may take. */
function placeProblems(at: string, { isolation, timeoutMs, modelCopies, providers }: HandlerModel): Problem[] {
  const problems: Problem[] = []
  if (isolation !== 'thread' && isolation !== 'process')
    problems.push(badValue(at, 'isolation', 'thread or process', isolation))
  if (modelCopies !== undefined && !isWhole(modelCopies))
    problems.push(badValue(at, 'modelCopies', 'a whole number from 1', modelCopies))
  else if (modelCopies !== undefined && modelCopies > 1 && [...providers].includes('webgpu')) {
    problems.push({
      where: at,
      what: 'modelCopies cannot be used on webgpu: two threads on one device end their process',
      expected: '1',
      got: String(modelCopies),
      remedy: 'Leave modelCopies out',
    })
  }
  if (timeoutMs === undefined) return problems
  if (!isDuration(timeoutMs)) problems.push(badValue(at, 'timeoutMs', 'milliseconds above 0', timeoutMs))
  if (isolation === 'thread') {
    problems.push({
      where: at,
      what: 'timeoutMs needs a process: a call inside a thread cannot be ended',
      expected: "isolation: 'process'",
      got: '"thread"',
      remedy: 'Leave isolation out, or leave timeoutMs out',
    })
  }
  return problems
}

function envProblems(at: string, envVars: unknown): Problem[] {
  if (envVars === undefined) return []
  if (typeof envVars !== 'object' || envVars === null || Array.isArray(envVars))
    return [badValue(at, 'envVars', 'texts by name: { NAME: value }', envVars)]
  return Object.entries(envVars).flatMap(([name, value]) => {
    if (!ENV_NAME.test(name)) return [badValue(at, 'a name of envVars', 'letters, digits and "_"', name)]
    if (typeof value === 'string' && !value.includes('\0')) return []
    // The value may be a secret.
    return [badValue(at, `envVars.${name}`, 'a text', typeof value === 'string' ? 'one with a NUL' : typeof value)]
  })
}

function oneOf(values: readonly string[]) {
  return { expected: `one of ${values.join(', ')}`, holds: (value: unknown) => values.includes(value as string) }
}

function isConfig(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return Object.entries(value).every(
    ([key, text]) => key.length >= 1 && key.length <= MAX_CONFIG_KEY && typeof text === 'string',
  )
}
