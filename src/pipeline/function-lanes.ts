/** Where the functions of steps with `functions: 'worker'` run: a worker thread of each step's own, or the calling thread in tests. */
import type { RunInferenceError } from '../errors.ts'
import { functionsOf, placeOfFunctions } from '../function-place.ts'
import type { StepNode } from '../graph.ts'
import type { FunctionLane } from '../models/function-lane.ts'
import { openFunctionWorker } from '../models/function-supervisor.ts'
import { createInThreadFunctions } from '../models/in-thread-functions.ts'
import type { Clock } from '../ops/clock.ts'
import type { Logger } from '../ops/logger.ts'
import type { Topology } from '../topology.ts'

export interface FunctionLaneParts {
  readonly clock: Clock
  readonly random: () => number
  readonly logger: Logger
  /** The worker cannot be started for now: it is tried again. It has started again. */
  readonly onOutage: (error: RunInferenceError) => void
  readonly onRecovered: () => void
  readonly onFatal: (error: unknown) => void
}

export type OpenFunctionLane = (topology: Topology, node: StepNode, parts: FunctionLaneParts) => Promise<FunctionLane>

/** Rejects TOPOLOGY_INVALID when the worker cannot find the functions. */
export const functionsInWorker: OpenFunctionLane = async (topology, node, parts) => {
  const { preprocess, postprocess, timeoutMs } = functionsOf(node)
  const concurrency = [...preprocess, ...postprocess].reduce((sum, fn) => sum + (fn.concurrency ?? 0), 0)
  return await openFunctionWorker({ ...parts, place: placeOfFunctions(topology, node), timeoutMs, concurrency })
}

/** No worker: the same copies and errors, and no hard timeouts. */
export const functionsInThread: OpenFunctionLane = async (_topology, node, parts) =>
  createInThreadFunctions(functionsOf(node), parts)
