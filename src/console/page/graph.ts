/** The topology as it works: a drawing with the rate on each edge, and the same as a list. */
import type { ConsoleSnapshot, GraphEdge, GraphNode, GraphView } from '../console-api.ts'
import { el, svg } from './elements.ts'
import { rate } from './format.ts'
import { layOut, NODE, type Point } from './graph-layout.ts'
import { morph } from './morph.ts'
import type { OpenPage } from './page.ts'
import { table } from './table.ts'

const MARGIN = 12
/** Beyond that letters would be too small to read: it is scrolled then. */
const LEAST_SCALE = 0.75
const LABEL_LETTERS = 21

const KINDS: Readonly<Record<GraphNode['kind'], string>> = {
  source: 'source',
  function: 'function',
  branch: 'branch',
  merge: 'merge',
  step: 'inference',
  through: 'topic between',
  sink: 'output',
  'dead-letters': 'dead letters',
}

export const openGraph: OpenPage = ({ about: { graph, topology } }) => {
  const picture = draw(graph, topology)
  const list = el('div')
  return {
    title: 'Graph',
    content: [
      el(
        'div',
        { class: 'graph', role: 'group', 'aria-label': 'Drawing of the topology; it may be scrolled', tabindex: 0 },
        picture.element,
      ),
      el('section', {}, el('h2', {}, 'Every edge'), list),
    ],
    update(snapshot) {
      picture.update(snapshot.rates)
      morph(list, listOf(graph, snapshot))
    },
  }
}

interface Drawing {
  readonly element: SVGElement
  update(rates: ConsoleSnapshot['rates']): void
}

function draw(graph: GraphView, topology: string): Drawing {
  const layout = layOut(graph)
  const kinds = new Map(graph.nodes.map(({ id, kind }) => [id, kind]))
  const edges = graph.edges.map(edge =>
    drawEdge(edge, layout.edges.get(edge.id)!, kinds.get(edge.to) === 'dead-letters'),
  )
  const nodes = graph.nodes.map(node => drawNode(node, layout.nodes.get(node.id)!))
  const width = layout.width + 2 * MARGIN
  const height = layout.height + 2 * MARGIN
  const element = svg(
    'svg',
    {
      ...{ role: 'img', viewBox: `${-MARGIN} ${-MARGIN} ${width} ${height}` },
      'aria-label': `Topology ${topology}: ${graph.nodes.length} nodes, ${graph.edges.length} edges. The list below says the same.`,
    },
    ...edges.map(({ element: drawn }) => drawn),
    ...nodes,
    ...edges.map(({ label }) => label),
  )
  element.style.maxWidth = `${width}px`
  element.style.minWidth = `${LEAST_SCALE * width}px`
  return {
    element,
    update(rates) {
      for (const { edge, element: drawn, label } of edges) {
        const perSecond = rates[edge.id]
        drawn.classList.toggle('flows', (perSecond ?? 0) > 0)
        label.textContent = [edge.label, perSecond === undefined ? undefined : `${rate(perSecond)}/s`]
          .filter(part => part !== undefined)
          .join(' · ')
      }
    },
  }
}

function drawNode({ kind, label, topic }: GraphNode, { x, y }: Point): SVGElement {
  const below = topic !== undefined && topic !== label ? topic : KINDS[kind]
  return svg(
    'g',
    { class: `node ${kind}`, transform: `translate(${x} ${y})` },
    svg('title', {}, [KINDS[kind], label, topic].filter(part => part !== undefined).join('\n')),
    svg('rect', { width: NODE.width, height: NODE.height, rx: 6 }),
    svg('text', { x: 12, y: 23, class: 'name' }, shortened(label)),
    svg('text', { x: 12, y: 41, class: 'kind' }, shortened(below)),
  )
}

function drawEdge(edge: GraphEdge, points: readonly Point[], isDeadLetters: boolean) {
  const path = points
    .map(({ x, y }, i) => {
      const before = points[i - 1]
      if (before === undefined) return `M${x} ${y}`
      const middle = (before.x + x) / 2
      return `C${middle} ${before.y} ${middle} ${y} ${x} ${y}`
    })
    .join('')
  const end = points.at(-1)!
  const dead = isDeadLetters ? ' dead' : ''
  return {
    edge,
    element: svg(
      'g',
      { class: `edge${dead}` },
      svg('path', { d: path }),
      svg('path', { class: 'head', d: `M${end.x} ${end.y}l-8 -4.5v9z` }),
    ),
    label: svg('text', { class: `rate${dead}`, x: end.x - 12, y: end.y - 6 }),
  }
}

/** Without its middle: names of topics differ at their ends. The whole text is the title of the node, and in the list. */
function shortened(text: string): string {
  const letters = [...text]
  return letters.length <= LABEL_LETTERS
    ? text
    : `${letters.slice(0, 6).join('')}…${letters.slice(7 - LABEL_LETTERS).join('')}`
}

function listOf({ nodes, edges }: GraphView, { rates }: ConsoleSnapshot): HTMLElement {
  const byId = new Map(nodes.map(node => [node.id, node]))
  return table(
    'Every edge of the topology',
    [{ label: 'From' }, { label: 'To' }, { label: 'Case' }, { label: 'Records/s', numeric: true }],
    edges.map(({ id, from, to, label }) => {
      const perSecond = rates[id]
      return {
        id,
        cells: [
          nodeText(byId.get(from)!),
          nodeText(byId.get(to)!),
          label ?? '',
          perSecond === undefined ? el('span', { class: 'unknown' }, 'not counted') : rate(perSecond),
        ],
      }
    }),
    'This topology has no edges.',
  )
}

function nodeText({ kind, label, topic }: GraphNode): HTMLElement {
  const where = topic !== undefined && topic !== label ? ` · ${topic}` : ''
  return el('span', {}, label, el('span', { class: 'note' }, ` ${KINDS[kind]}${where}`))
}
