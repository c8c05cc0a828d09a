/** Why a record of the metadata topic means nothing to an instance. */
import { nearestName } from '../nearest-name.ts'
import { show } from '../problem.ts'
import type { Topology } from '../topology.ts'
import { parseSlot, slotText } from './slot.ts'
import { slotsOf } from './topology-slots.ts'

/** `key`: one that names a slot, and none of those of the instance. Undefined: it is about another part of the topology. */
export function whyIgnored(topology: Topology, key: string): string | undefined {
  const { step, modelKey } = parseSlot(key)
  const { steps, name } = topology.whole ?? topology
  const node = steps.find(each => each.step === step)
  if (!node) {
    const nearest = nearestName(
      step,
      steps.map(each => each.step),
    )
    return `topology "${name}" has no step "${step}"${nearest === undefined ? '' : `; did you mean "${nearest}"?`}`
  }
  if (node.options.modelMetadata !== true)
    return `step "${step}" does not follow what is published: give it modelMetadata: true`
  const slots = slotsOf({ steps: [node] })
  if (slots.some(({ text }) => text === key)) return undefined
  if (slots[0]?.keys === undefined) return `step "${step}" has one model for all keys: publish it for "${step}" alone`
  if (modelKey === undefined) return `step "${step}" has a model for each key: publish for one of its keys`
  const mapping = slots.find(({ keys }) => keys!.includes(modelKey))
  if (mapping)
    return `key ${show(modelKey)} shares its model with ${show(mapping.keys![0])}: publish for ${mapping.text}`
  return `step "${step}" has no model for key ${show(modelKey)}, so ${slotText(step, modelKey)} is nothing here`
}
