/** What lanes load for the steps of a topology, and examples in slots. */
import { specsOfStep } from '../../src/handler-place.ts'
import type { BatchSlot, ModelSpec } from '../../src/models/executor.ts'
import type { Topology } from '../../src/topology.ts'

/** Of the first model of a step. */
export function specOf(topology: Topology, step: string): ModelSpec {
  return specsOfStep(topology, topology.steps.find(each => each.step === step)!)[0]!
}

/** Puts examples into a slot. */
export function put(slot: BatchSlot, examples: readonly unknown[]): void {
  const [values] = slot.prepare(examples.length, [[]]) as [unknown[]]
  values.push(...examples)
}
