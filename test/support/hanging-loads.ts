/** Lanes whose models do not come: handlers of `hanging-topology.ts` in real threads and processes. */
import { specsOfStep } from '../../src/handler-place.ts'
import type { Isolation, ModelSpec } from '../../src/models/executor.ts'
import { importTopology } from '../../src/topology-module.ts'

/** `wait`: it waits for a promise. `spin`: it runs JavaScript without end. */
export async function hangingSpec(how: 'wait' | 'spin', isolation: Isolation = 'thread'): Promise<ModelSpec> {
  const file = new URL('./hanging-topology.ts', import.meta.url).pathname
  const topology = (await importTopology(file)).build({ hangs: how === 'wait' ? 'load' : 'spin' })
  const [spec] = specsOfStep(topology, topology.steps[0]!)
  return { ...spec!, isolation }
}
