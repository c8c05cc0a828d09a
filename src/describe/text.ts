/** A topology as an aligned tree for people. */
import { parameterLines } from '../parameters.ts'
import type { TopologyDescription } from './description.ts'
import { align, type Fact, factsOf } from './facts.ts'
import type { NodeDescription } from './node-descriptions.ts'

export function describeAsText(description: TopologyDescription): string {
  const { name, groups, digest, provenance, parameters, nodes, topics, parts } = description
  const head = align([
    ['topology', name],
    // Where there are several, each reads its own topics.
    ...groups.map(({ id, topics }): Fact => ['group', groups.length > 1 ? `${id} (reads ${topics.join(', ')})` : id]),
    ['graph', digest],
    ['outputs', provenance ? 'carry kri-source, the position of their record' : 'carry no position of their record'],
    // One is the whole.
    ...(parts.length > 1 ? [['parts', `${parts.join(', ')} (kri run --part)`] as const] : []),
  ])
  const roots = nodes.filter(node => node.kind === 'from')
  const trees = roots.flatMap(root => ['', ...tree(root, undefined, nodes)])
  const list = align(topics.map(({ name, role }): Fact => [role === 'between' ? 'written and read' : role, name]))
  const taken =
    parameters.length === 0 ? [] : ['', 'parameters', ...parameterLines(parameters).map(line => `  ${line}`)]
  return [...head, ...taken, ...trees, '', 'topics', ...list.map(line => `  ${line}`)].join('\n')
}

/** What is below a merge stands below its first input; below the others its name alone. */
function tree(node: NodeDescription, above: string | undefined, nodes: readonly NodeDescription[]): string[] {
  if (node.kind === 'merge' && node.inputs[0] !== above) return [`${node.id} (shown below ${node.inputs[0]})`]
  const below = nodes.filter(other => inputsOf(other).includes(node.id))
  const bar = below.length > 0 ? '│  ' : '   '
  const lines = [titleOf(node), ...align(factsOf(node)).map(fact => `${bar}${fact}`)]
  for (const [i, child] of below.entries()) {
    const isLast = i === below.length - 1
    const [title, ...rest] = tree(child, node.id, nodes)
    lines.push(`${isLast ? '└─ ' : '├─ '}${title}`, ...rest.map(line => `${isLast ? '   ' : '│  '}${line}`))
  }
  return lines
}

function inputsOf(node: NodeDescription): readonly string[] {
  if (node.kind === 'from') return []
  return node.kind === 'merge' ? node.inputs : [node.input]
}

function titleOf(node: NodeDescription): string {
  if (node.kind === 'step')
    return node.keyed ? `${node.id} (${node.keyed === 'maybe' ? 'maybe keyed' : 'keyed'})` : node.id
  if (node.kind === 'case') return `case ${node.case}`
  if (node.kind === 'failed') return `failed ${node.stage}${node.index === null ? '' : ` ${node.index}`}`
  return 'function' in node && node.function !== '' ? `${node.id} ${node.function}` : node.id
}
