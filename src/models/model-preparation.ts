/** Loads a model in spare lanes, and leaves nothing behind when that fails. */
import { RunInferenceError } from '../errors.ts'
import type { Clock } from '../ops/clock.ts'
import type { Logger } from '../ops/logger.ts'
import type { Lane, LaneModel, ModelSpec, Signature } from './executor.ts'
import type { PrepareOptions } from './prepared-model.ts'
import type { SharedLanes } from './shared-lanes.ts'
import { showDifference, signatureDifference } from './signature-difference.ts'

export interface SpareCopy {
  readonly lane: Lane
  readonly model: LaneModel
}

export interface PreparationParts {
  readonly step: string
  readonly shared: SharedLanes
  readonly clock: Clock
  readonly logger: Logger
}

/** How a preparation ended, as metrics say it. */
export type SwapOutcome = 'served' | 'failed' | 'timeout' | 'cancelled' | 'discarded'

/** Why a preparation was given up. */
export class PreparationFailure {
  readonly outcome: SwapOutcome
  readonly error: unknown
  constructor(outcome: SwapOutcome, error: unknown) {
    this.outcome = outcome
    this.error = error
  }
}

/**
 * A copy in a spare lane for each of `likes`: one first, which shows whether it loads at all, then the others. `expected`:
 * undefined where the declaration, which each load is held against, is all that was compiled. Rejects with a PreparationFailure.
 */
export async function loadInSpares(
  likes: readonly Lane[],
  spec: ModelSpec,
  expected: Signature | undefined,
  { timeoutMs, signal }: PrepareOptions,
  { step, shared, clock, logger }: PreparationParts,
): Promise<readonly SpareCopy[]> {
  const spares: Lane[] = []
  let isGivenUp = false
  const loadLike = async (like: Lane): Promise<SpareCopy> => {
    const lane = shared.spare(like)
    spares.push(lane)
    const model = await lane.load(spec)
    if (expected) requireSignature(spec, expected, model.loaded)
    return { lane, model }
  }
  const loadAll = async (): Promise<readonly SpareCopy[]> => {
    const [like, ...others] = likes
    const first = await loadLike(like!)
    // Nobody waits for these any more.
    if (isGivenUp) return []
    return [first, ...(await Promise.all(others.map(loadLike)))]
  }
  const { promise: givenUp, reject } = Promise.withResolvers<never>()
  const cancelTimer = clock.after(timeoutMs, () => reject(new PreparationFailure('timeout', tooSlow(spec, timeoutMs))))
  const onAbort = () => reject(new PreparationFailure('cancelled', cancelled(spec)))
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    if (signal?.aborted) throw new PreparationFailure('cancelled', cancelled(spec))
    const loading = loadAll()
    // Of what was given up nobody asks how it ended.
    loading.catch(() => {})
    return await Promise.race([loading, givenUp])
  } catch (error) {
    isGivenUp = true
    const failure = error instanceof PreparationFailure ? error : new PreparationFailure('failed', error)
    for (const lane of spares) {
      const busyMs = Math.round(lane.busyMs())
      if (failure.outcome === 'timeout' && lane.isolation === 'thread' && busyMs > 0) {
        const what =
          'a thread hangs while it loads a model: it is ended where that can be done; in native code it stays until the process ends'
        logger.warn({ step, lane: lane.id, model: spec.uri, busyMs }, what)
      }
      shared.retire(lane)
    }
    throw failure
  } finally {
    cancelTimer()
    signal?.removeEventListener('abort', onAbort)
  }
}

function requireSignature(spec: ModelSpec, expected: Signature, got: Signature): void {
  const differences = signatureDifference(expected, got)
  if (differences.length === 0) return
  throw new RunInferenceError(
    'MODEL_UNUSABLE',
    `${spec.uri} has another signature than the model that serves: ${differences.map(showDifference).join('; ')}. ` +
      'Publish a model with the same signature, or start the application again with a topology that declares this one.',
  )
}

function tooSlow(spec: ModelSpec, timeoutMs: number): RunInferenceError {
  const text = `${spec.uri} was not loaded and warm within ${timeoutMs} ms: given up. The model before it serves on`
  return new RunInferenceError('MODEL_UNUSABLE', text)
}

function cancelled(spec: ModelSpec): RunInferenceError {
  return new RunInferenceError('CLOSED', `the load of ${spec.uri} was cancelled before it had ended`)
}
