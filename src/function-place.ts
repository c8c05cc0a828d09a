/** Finds the functions of a step in a topology that was built again from its module. */
import { RunInferenceError } from './errors.ts'
import type { StepNode } from './graph.ts'
import type { StepFunctions } from './models/function-host.ts'
import type { FunctionPlace } from './models/function-messages.ts'
import { FUNCTION_TIMEOUT_MS } from './models/user-function.ts'
import { type Topology, topologyDigest } from './topology.ts'

/** Where a worker finds the functions of a step. Throws TOPOLOGY_INVALID for a topology that says not where it came from. */
export function placeOfFunctions(topology: Topology, { step }: StepNode): FunctionPlace {
  const { module, whole = topology } = topology
  if (module) return { module, digest: topologyDigest(whole), step }
  throw new RunInferenceError(
    'TOPOLOGY_INVALID',
    `step "${step}" has functions: 'worker', and a worker has to import them again, but the topology does not say from where: ` +
      'write the topology as a module and load it with loadTopology (as kri does), or leave the functions on the main thread',
  )
}

/** The functions at a place. Throws TOPOLOGY_INVALID when this is another topology. */
export function functionsAt(topology: Topology, { digest, step, module }: FunctionPlace): StepFunctions {
  const { whole = topology } = topology
  const node = whole.steps.find(each => each.step === step)
  if (node && topologyDigest(whole) === digest) return functionsOf(node)
  throw new RunInferenceError(
    'TOPOLOGY_INVALID',
    `step "${step}": ${module.file} gives another topology in a worker than it gave to the application: a topology module ` +
      'must depend on nothing but its parameters, neither the environment nor the time nor files that change',
  )
}

export function functionsOf({ handler, options }: StepNode): StepFunctions {
  const { preprocess, postprocess } = handler
  return { preprocess, postprocess, timeoutMs: options.functionTimeoutMs ?? FUNCTION_TIMEOUT_MS }
}
