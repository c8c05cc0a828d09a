import { RunInferenceError } from '../errors.ts'
import type { Topology } from '../topology.ts'
import type { FindHandler } from './custom-session.ts'
import type { ModuleRef } from './executor.ts'

/** Finds handlers in the modules of their topologies, which it imports again: each once, and none for ONNX models alone. */
export function moduleHandlers(): FindHandler {
  const topologies = new Map<string, Promise<Topology>>()
  return async place => {
    const { module, step } = place
    if (!module) throw unplaced(step)
    const key = JSON.stringify(module)
    const topology = topologies.get(key) ?? buildAgain(module)
    topologies.set(key, topology)
    const { handlerAt } = await import('../handler-place.ts')
    return handlerAt(await topology, place)
  }
}

async function buildAgain({ file, parameters }: ModuleRef): Promise<Topology> {
  const { importTopology } = await import('../topology-module.ts')
  return (await importTopology(file)).build(parameters)
}

function unplaced(step: string): RunInferenceError {
  return new RunInferenceError(
    'MODEL_UNUSABLE',
    `step "${step}" runs a handler of your own in a lane, which has to import it again, and the topology does not say from ` +
      'where: write the topology as a module, and load it with loadTopology',
  )
}
