/** A topology as an aligned tree for people. */
import { parameterLines } from '../parameters.ts'
import type { NodeDescription, StepDescription, TopologyDescription } from './description.ts'

type Fact = readonly [name: string, value: string]

const PARTITION = {
  auto: 'that of the source record where both topics have equally many, else by key',
  source: 'that of the source record',
  key: 'by key',
}

export function describeAsText(description: TopologyDescription): string {
  const { name, applicationId, digest, provenance, parameters, nodes, topics, parts } = description
  const head = align([
    ['topology', name],
    ['group', applicationId],
    ['graph', digest],
    ['outputs', provenance ? 'carry kri-source, the position of their record' : 'carry no position of their record'],
    // One is the whole.
    ...(parts.length > 1 ? [['parts', `${parts.join(', ')} (kri run --part)`] as const] : []),
  ])
  const roots = nodes.filter(node => node.kind === 'from')
  const trees = roots.flatMap(root => ['', ...tree(root, nodes)])
  const list = align(topics.map(({ name, role }) => [role, name]))
  const taken =
    parameters.length === 0 ? [] : ['', 'parameters', ...parameterLines(parameters).map(line => `  ${line}`)]
  return [...head, ...taken, ...trees, '', 'topics', ...list.map(line => `  ${line}`)].join('\n')
}

function tree(node: NodeDescription, nodes: readonly NodeDescription[]): string[] {
  const below = node.kind === 'to' ? [] : nodes.filter(other => other.kind !== 'from' && other.input === node.id)
  const bar = below.length > 0 ? '│  ' : '   '
  const lines = [titleOf(node), ...align(factsOf(node)).map(fact => `${bar}${fact}`)]
  for (const [i, child] of below.entries()) {
    const isLast = i === below.length - 1
    const [title, ...rest] = tree(child, nodes)
    lines.push(`${isLast ? '└─ ' : '├─ '}${title}`, ...rest.map(line => `${isLast ? '   ' : '│  '}${line}`))
  }
  return lines
}

function titleOf(node: NodeDescription): string {
  if (node.kind === 'step') return node.keyed ? `${node.id} (keyed)` : node.id
  return (node.kind === 'map' || node.kind === 'filter') && node.function !== ''
    ? `${node.id} ${node.function}`
    : node.id
}

function factsOf(node: NodeDescription): Fact[] {
  if (node.kind === 'step') return stepFacts(node)
  if (node.kind === 'from') {
    return [
      ...(node.key === null ? [] : [['key', node.key] as const]),
      ['value', node.value],
      ['tombstone', node.tombstones],
      ['replay', node.replayTopic],
      ['fails to', node.failsTo],
    ]
  }
  if (node.kind !== 'to') return [['fails to', node.failsTo]]
  return [
    ...(node.key === null ? [] : [['key', node.key] as const]),
    ['value', node.value],
    ['partition', PARTITION[node.partition]],
    ['fails to', node.failsTo],
  ]
}

function stepFacts({ model, batch, preprocess, postprocess, failsTo }: StepDescription): Fact[] {
  const tensors = (side: string, specs: Readonly<Record<string, string>>) =>
    Object.entries(specs).map(([name, spec]): Fact => [side, name === '' ? spec : `${name} ${spec}`])
  const policy = model.providers.length > 1 || model.providerPolicy === 'required' ? ` (${model.providerPolicy})` : ''
  const timeout = model.timeoutMs === null ? '' : `, ${model.timeoutMs} ms a call`
  return [
    ['model', `${model.kind} ${model.uri}`],
    ...tensors('input', model.inputs),
    ...tensors('output', model.outputs),
    ['provider', `${model.providers.join(', ')}${policy}`],
    ['lane', `${model.isolation}, intra-op threads ${model.intraOpNumThreads}${timeout}`],
    ['before', functions('preprocess', preprocess)],
    ['after', functions('postprocess', postprocess)],
    [
      'batch',
      Object.entries(batch)
        .map(([name, value]) => `${name} ${value}`)
        .join(', '),
    ],
    ...Object.values(failsTo).map((topic): Fact => ['fails to', topic]),
  ]
}

function functions(kind: string, names: readonly string[]): string {
  if (names.length === 0) return 'no function'
  return `${kind} (${names.map(name => (name === '' ? 'a function without a name' : name)).join(', ')})`
}

/** Names in a column of their own; a name that repeats stands once. */
function align(facts: readonly Fact[]): string[] {
  const width = Math.max(...facts.map(([name]) => name.length))
  return facts.map(([name, value], i) => `${(name === facts[i - 1]?.[0] ? '' : name).padEnd(width)}  ${value}`)
}
