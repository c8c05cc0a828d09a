/** Where the keys of elements come from, as far as a graph tells. */
import { type GraphNode, inputsOf, type StepNode } from './graph.ts'

/** `record`: the key of the record. `derived`: of a `keyBy`. `none`: they have no keys. `function`: whatever a function gave. */
export type KeyOrigin = 'record' | 'derived' | 'none' | 'function'

/** Of the elements that leave a node, on each way to it. */
export function keyOrigins(node: GraphNode): ReadonlySet<KeyOrigin> {
  const origins = new Set<KeyOrigin>()
  const seen = new Set<GraphNode>()
  const climb = (at: GraphNode): void => {
    if (seen.has(at)) return
    seen.add(at)
    const origin = originAt(at)
    if (origin === undefined) for (const input of inputsOf(at)) climb(input)
    else origins.add(origin)
  }
  climb(node)
  return origins
}

/** Undefined: whatever comes in leaves with its key. */
function originAt(node: GraphNode): KeyOrigin | undefined {
  switch (node.kind) {
    case 'source':
      return node.key === undefined ? 'none' : 'record'
    case 'keyBy':
      return 'derived'
    case 'map':
    case 'flatMap':
      return 'function'
    case 'failed':
      return 'none'
    case 'runInference':
      return originBehind(node)
    default:
      return undefined
  }
}

function originBehind({ handler: { keyed, preprocess, postprocess } }: StepNode): KeyOrigin | undefined {
  if (postprocess.length > 0) return 'function'
  if (!keyed) return 'none'
  return preprocess.length > 0 ? 'function' : undefined
}
