/** A topology as a Mermaid flowchart: topics are round, steps are boxes, dead letters hang on dotted lines. */
import type { TopologyDescription } from './description.ts'
import type { NodeDescription } from './node-descriptions.ts'

/** Where lines from a node begin, how they are drawn and what stands on them. */
interface Way {
  readonly from: string
  readonly arrow: '-->' | '-.->'
  readonly label: string
}

export function describeAsMermaid({ nodes, applicationId, name }: TopologyDescription): string {
  const ids = new Map<string, string>()
  const lines: string[] = []
  // Topics that several nodes name are drawn once.
  const draw = (key: string, shape: string): string => {
    const known = ids.get(key)
    if (known !== undefined) return known
    const id = `n${ids.size + 1}`
    ids.set(key, id)
    lines.push(`  ${id}${shape}`)
    return id
  }
  const topic = (name: string) => draw(`topic ${name}`, `([${quoted(name)}])`)
  const ways = new Map<string, Way>()
  const join = ({ from, arrow, label }: Way, to: string) =>
    lines.push(`  ${from} ${arrow}${label === '' ? '' : `|${quoted(label)}|`} ${to}`)
  for (const node of nodes) {
    if (node.kind === 'from') {
      ways.set(node.id, { from: topic(node.topic), arrow: '-->', label: node.value })
    } else if (node.kind === 'case') {
      ways.set(node.id, { ...ways.get(node.input)!, label: node.case })
    } else if (node.kind === 'failed') {
      const label = `failed ${node.stage}${node.index === null ? '' : ` ${node.index}`}`
      ways.set(node.id, { ...ways.get(node.input)!, arrow: '-.->', label })
    } else if (node.kind === 'to') {
      const way = ways.get(node.input)!
      const isNamed = nodes.some(({ id, kind }) => id === node.input && (kind === 'case' || kind === 'failed'))
      join({ ...way, label: isNamed ? `${way.label}: ${node.value}` : node.value }, topic(node.topic))
    } else {
      const id = draw(node.id, shapeOf(node))
      ways.set(node.id, { from: id, arrow: '-->', label: '' })
      for (const input of node.kind === 'merge' ? node.inputs : [node.input]) join(ways.get(input)!, id)
      if (node.kind === 'step')
        for (const letters of Object.values(node.failsTo)) lines.push(`  ${id} -.-> ${topic(letters)}`)
    }
  }
  const title = JSON.stringify(`${name} (group ${applicationId})`)
  return ['---', `title: ${title}`, '---', 'flowchart LR', ...lines].join('\n')
}

function shapeOf(node: NodeDescription): string {
  if (node.kind === 'step') return `[${quoted([node.step, ...node.models.map(({ uri }) => uri)].join('<br>'))}]`
  if (node.kind === 'filter') return `{{${quoted(node.id)}}}`
  if (node.kind === 'branch') return `{${quoted(node.id)}}`
  if (node.kind === 'merge') return `((${quoted(node.id)}))`
  return `[/${quoted(node.id)}/]`
}

/** Mermaid ends a text at a quote; everything else may stand in it. */
function quoted(text: string): string {
  return `"${text.replaceAll('"', '#quot;')}"`
}
