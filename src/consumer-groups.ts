/**
 * The consumer groups of a topology. What is read from outside belongs to the group `<applicationId>`; a part whose topics are
 * all written by the topology itself has a group of its own, `<applicationId>.<its first topic>`. So parts can be run apart, and
 * adding a `through` to a running application moves none of its committed offsets.
 */
import type { SourceNode } from './graph.ts'
import { sourcesAbove } from './pipeline/graph-ways.ts'
import type { Topology } from './topology.ts'
import { topologyParts } from './topology-parts.ts'

export interface ConsumerGroup {
  readonly id: string
  readonly sources: readonly SourceNode[]
}

/** The groups that a topology, or a part of one, is a member of, in the order of its parts. */
export function consumerGroups(topology: Topology): readonly ConsumerGroup[] {
  const groups = new Map<string, SourceNode[]>()
  for (const { topology: part } of topologyParts(topology)) {
    const isOwn = part.sources.every(({ writtenBy }) => writtenBy !== undefined)
    const id = isOwn ? `${topology.applicationId}.${part.sources[0]!.topic}` : topology.applicationId
    groups.set(id, [...(groups.get(id) ?? []), ...part.sources])
  }
  return [...groups].map(([id, sources]) => ({ id, sources }))
}

/** Sources in steps: those of a step are written by what reads those of the steps before it, and by nothing else. */
export function sourcesByDistance({ sources }: Topology): readonly (readonly SourceNode[])[] {
  const distanceOf = ({ writtenBy }: SourceNode): number =>
    writtenBy === undefined ? 0 : 1 + Math.max(...sourcesAbove(writtenBy).map(distanceOf))
  const steps = Map.groupBy(sources, distanceOf)
  return [...steps.keys()].sort((a, b) => a - b).map(distance => steps.get(distance)!)
}
