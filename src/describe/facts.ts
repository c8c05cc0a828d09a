/** What the tree says of each node, as names and values. */
import type { ModelDescription, NodeDescription, StepDescription } from './node-descriptions.ts'

export type Fact = readonly [name: string, value: string]

const PARTITION = {
  auto: 'that of the source record where both topics have equally many, else by key',
  source: 'that of the source record',
  key: 'by key',
}

export function factsOf(node: NodeDescription): Fact[] {
  switch (node.kind) {
    case 'step':
      return stepFacts(node)
    case 'from':
      return [
        ...fact('key', node.key),
        ['value', node.value],
        ['tombstone', node.tombstones],
        ...fact('written by', node.writtenBy),
        ['replay', node.replayTopic],
        ['fails to', node.failsTo],
      ]
    case 'to':
      return [
        ...fact('key', node.key && (node.keyFrom === 'element' ? `${node.key}, of the element` : node.key)),
        ['value', node.value],
        ['partition', PARTITION[node.partition]],
        ['fails to', node.failsTo],
      ]
    case 'branch':
      return [
        ['cases', node.cases.join(', ')],
        ['fails to', node.failsTo],
      ]
    case 'merge':
      return [['of', node.inputs.join(', ')]]
    case 'case':
    case 'failed':
      return []
    default:
      return [...fact('at most', node.maxFanOut, 'of each'), ['fails to', node.failsTo]]
  }
}

function stepFacts(step: StepDescription): Fact[] {
  const { batch, failsTo, preprocess, postprocess, threshold } = step
  return [
    ...step.models.flatMap(modelFacts),
    ...fact('models', step.maxModelsPerWorker, 'in a lane at one time'),
    ...fact('bytes', step.maxBytesPerWorker, 'of models in a lane at one time'),
    ...fact('published', step.modelMetadata ? 'kri models publish changes its models while it runs' : null),
    ...fact('shared as', step.modelIdentifier),
    ...Object.entries(step.resourceHints).map(([name, value]): Fact => ['needs', `${name} ${value}`]),
    ['before', functions('preprocess', preprocess, step)],
    ['after', functions('postprocess', postprocess, step)],
    [
      'batch',
      batch === null
        ? 'none: each element is one'
        : Object.entries(batch)
            .map(([name, value]) => `${name} ${value}`)
            .join(', '),
    ],
    ...(step.failureUnit === 'batch' ? [['failures', 'of whole batches'] as const] : []),
    ...(threshold < 1
      ? [['halts', `at more than ${Number((threshold * 100).toPrecision(6))} % dead letters`] as const]
      : []),
    ...Object.values(failsTo).map((topic): Fact => ['fails to', topic]),
  ]
}

function modelFacts(model: ModelDescription): Fact[] {
  const tensors = (side: string, specs: Readonly<Record<string, string>>) =>
    Object.entries(specs).map(([name, spec]): Fact => [side, name === '' ? spec : `${name} ${spec}`])
  const { keys, providerPolicy: policy, intraOpNumThreads: threads, timeoutMs, copies, providers } = model
  const lane = [
    model.isolation,
    ...(threads === null ? [] : [`intra-op threads ${threads}`]),
    ...(timeoutMs === null ? [] : [`${timeoutMs} ms a call`]),
    ...(copies === null ? [] : [`copies ${copies}`]),
  ]
  const isPlain = policy === null || (providers.length === 1 && policy !== 'required')
  return [
    ['model', `${model.kind} ${model.uri === '' ? 'that is published' : model.uri}`],
    ...fact('keys', keys?.join(', ') ?? null),
    ...tensors('input', model.inputs),
    ...tensors('output', model.outputs),
    ['provider', `${providers.join(', ')}${isPlain ? '' : ` (${policy})`}`],
    ['lane', lane.join(', ')],
  ]
}

function functions(kind: string, names: readonly string[], { functions }: StepDescription): string {
  if (names.length === 0) return 'no function'
  const list = names.map(name => (name === '' ? 'a function without a name' : name)).join(', ')
  return `${kind} (${list})${functions === 'worker' ? ', in a worker' : ''}`
}

/** Nothing where there is nothing to say. */
function fact(name: string, value: string | number | null, unit = ''): Fact[] {
  return value === null ? [] : [[name, unit === '' ? String(value) : `${value} ${unit}`]]
}

/** Names in a column of their own; a name that repeats stands once. */
export function align(facts: readonly Fact[]): string[] {
  const width = Math.max(...facts.map(([name]) => name.length))
  return facts.map(([name, value], i) => `${(name === facts[i - 1]?.[0] ? '' : name).padEnd(width)}  ${value}`)
}
