import { RunInferenceError } from '../errors.ts'
import type { Executor, Lane, LaneModel, ModelSpec } from '../models/executor.ts'
import { lanesFor } from '../models/lane-choice.ts'
import { type Clock, sleep } from '../ops/clock.ts'

export interface TryOutOptions {
  readonly executor: Executor
  readonly clock: Clock
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** A model that was loaded and warm. */
export interface TriedModel {
  /** Empty for handlers that users wrote. */
  readonly sha256: string
  /** Where its lane is kept it stays loaded until then, so that opening that lane need not load it again. */
  release(): void
}

/**
 * Loads and warms a model before any lane is open. In a lane of its own where native code that hangs could not be ended: then
 * the model is given up, and its thread with it. Rejects MODEL_UNUSABLE, LANE_LOST, CLOSED.
 */
export async function tryOut(spec: ModelSpec, options: TryOutOptions): Promise<TriedModel> {
  const { executor } = options
  const [first] = lanesFor(executor, spec)
  const spare = first!.isolation === 'thread' ? executor.spare(first!) : undefined
  try {
    const model = await loadWithin(spare ?? first!, spec, options)
    const { sha256 } = model.loaded
    if (spare) await model.unload()
    // Its worker ends with the lane, or is lost: nobody has to know.
    return { sha256, release: () => void (spare ? undefined : model.unload().catch(() => {})) }
  } finally {
    if (spare) executor.retire(spare)
  }
}

async function loadWithin(
  lane: Lane,
  spec: ModelSpec,
  { clock, timeoutMs, signal }: TryOutOptions,
): Promise<LaneModel> {
  const given = new AbortController()
  // A process that hangs ends with its time, or the next model would wait behind it.
  const load = lane.load(spec, timeoutMs)
  const late = sleep(clock, timeoutMs, AbortSignal.any([signal, given.signal])).then(() => undefined)
  try {
    const model = await Promise.race([load, late])
    if (model) return model
  } finally {
    given.abort()
  }
  // It may still come, and nobody wants it then.
  load.then(model => model.unload()).catch(() => {})
  if (signal.aborted) throw new RunInferenceError('CLOSED', `the load of ${spec.uri} was given up`)
  throw new RunInferenceError(
    'MODEL_UNUSABLE',
    `${spec.uri} is not loaded and warm after modelLoadTimeoutMs (${timeoutMs} ms). Publish another model, or set it higher`,
  )
}
