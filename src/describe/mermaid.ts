/** A topology as a Mermaid flowchart: topics are round, steps are boxes, dead letters hang on dotted lines. */
import type { NodeDescription, TopologyDescription } from './description.ts'

export function describeAsMermaid({ nodes, applicationId, name }: TopologyDescription): string {
  const ids = new Map<string, string>()
  const lines: string[] = []
  // Topics that several nodes name are drawn once.
  const draw = (key: string, shape: (id: string) => string): string => {
    const known = ids.get(key)
    if (known !== undefined) return known
    const id = `n${ids.size + 1}`
    ids.set(key, id)
    lines.push(`  ${id}${shape(id)}`)
    return id
  }
  const topic = (name: string) => draw(`topic ${name}`, () => `([${quoted(name)}])`)
  const drawn = new Map<string, string>()
  for (const node of nodes) {
    if (node.kind === 'from') {
      drawn.set(node.id, topic(node.topic))
      continue
    }
    const above = drawn.get(node.input)!
    if (node.kind === 'to') {
      lines.push(`  ${above} -->|${quoted(node.value)}| ${topic(node.topic)}`)
      continue
    }
    const id = draw(node.id, () => boxOf(node))
    drawn.set(node.id, id)
    lines.push(`  ${above} -->${edgeLabel(nodes, node.input)} ${id}`)
    if (node.kind !== 'step') continue
    for (const letters of Object.values(node.failsTo)) lines.push(`  ${id} -.-> ${topic(letters)}`)
  }
  return ['---', `title: ${JSON.stringify(`${name} (group ${applicationId})`)}`, '---', 'flowchart LR', ...lines].join(
    '\n',
  )
}

function edgeLabel(nodes: readonly NodeDescription[], above: string): string {
  const source = nodes.find(node => node.id === above)
  return source?.kind === 'from' ? `|${quoted(source.value)}|` : ''
}

function boxOf(node: NodeDescription): string {
  if (node.kind === 'step') return `[${quoted(`${node.step}<br>${node.model.uri}`)}]`
  if (node.kind === 'filter') return `{{${quoted(node.id)}}}`
  return `[/${quoted(node.id)}/]`
}

/** Mermaid ends a text at a quote; everything else may stand in it. */
function quoted(text: string): string {
  return `"${text.replaceAll('"', '#quot;')}"`
}
