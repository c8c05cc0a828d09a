import { deadLetterTopics, FAILED_STAGES } from '../kafka/topic-names.ts'
import type { Topology } from '../topology.ts'
import type { Selection } from './selection.ts'

/** The dead-letter topics that selected letters may be in. */
export function selectedTopics(topology: Topology, { stages, steps }: Selection): readonly string[] {
  const own = stepsOf(topology)
  const all = deadLetterTopics(topology.name, own.length === 0 ? [] : (steps ?? own))
  if (stages === undefined) return all
  return all.filter(topic => FAILED_STAGES.some(stage => stages.includes(stage) && topic.endsWith(`.failed-${stage}`)))
}

/** Of the whole, where this is a part of it. */
export function stepsOf(topology: Topology): readonly string[] {
  return (topology.whole ?? topology).steps.map(({ step }) => step)
}
