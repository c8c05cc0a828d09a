/** How many test files run side by side. */
export interface TestLanes {
  readonly all: number
  /** Of them, how many take files with clusters of their own. */
  readonly withClusters: number
}

const GIB = 2 ** 30
/** Three brokers, a registry and the instances on them. */
const CLUSTER_GIB = 3
/** The shared cluster. */
const SHARED_GIB = 1
const FILE_GIB = 1
/** More would only wait for the shared broker. */
const MOST = 8

/**
 * One more than there are cores, since files wait for brokers and processes about as long as they work; less where the memory
 * does not suffice.
 * @param wanted as many, whatever the machine has
 */
export function lanesOf(cores: number, memoryBytes: number, wanted?: number): TestLanes {
  const freeGib = memoryBytes / GIB - SHARED_GIB
  const fitting = Math.floor((freeGib - CLUSTER_GIB) / FILE_GIB) + 1
  const all = wanted ?? Math.max(2, Math.min(cores + 1, fitting, MOST))
  const hasRoom = freeGib >= 2 * CLUSTER_GIB + (all - 2) * FILE_GIB
  return { all, withClusters: hasRoom && all > 2 ? 2 : 1 }
}
