/**
 * Results that are looked at after the slot that they lie in was given back: by an asynchronous function, in a worker, or by a
 * handler of the user's own, whose elements are staged as they are. They get memory of their own, and are plain objects, all of
 * whose members can be copied to another thread.
 */
import type { GraphNode, SinkNode, StepNode } from '../graph.ts'
import type { BatchOutputs } from '../models/executor.ts'
import type { HandlerFunction } from '../models/model-handler.ts'
import { elementsOf } from '../models/tensors.ts'
import type { Child } from './graph-ways.ts'

/** True when somebody below looks at a result of this step later. `children`: also the streams of dead letters. */
export function keepsResults(node: StepNode, children: (node: GraphNode) => readonly Child[]): boolean {
  const { handler, options } = node
  if (isLater(handler.postprocess, options)) return true
  const seen = new Set<GraphNode | SinkNode>()
  const goDown = (at: GraphNode): boolean =>
    children(at).some(({ node: below }) => {
      if (below.kind === 'to' || seen.has(below)) return false
      seen.add(below)
      return (below.kind === 'runInference' && keepsElements(below)) || goDown(below)
    })
  return goDown(node)
}

/** Rows [at, at + rows) of these outputs, in memory of their own: one copy for all of them. */
export function ownRows({ outputs, ...rest }: BatchOutputs, at: number, rows: number): BatchOutputs {
  const own = outputs.map(({ data, rowShape }) => {
    const elements = elementsOf(rowShape)!
    return { data: data.slice(at * elements, (at + rows) * elements), rowShape }
  })
  return { ...rest, rows, outputs: own }
}

function keepsElements({ handler, options }: StepNode): boolean {
  return isLater(handler.preprocess, options) || handler.cohorts.some(({ model }) => model.kind === 'custom')
}

function isLater(functions: readonly HandlerFunction[], { functions: place }: StepNode['options']): boolean {
  return functions.some(({ concurrency }) => place === 'worker' || concurrency !== undefined)
}
