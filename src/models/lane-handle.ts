/**
 * A lane as the pipeline sees it (the `Lane` port), over calls to a host that may be a thread or the calling thread itself.
 *
 * 1. Two places a lane: one batch runs while the next is filled. Places are shared by the models of the lane.
 * 2. Specs that are equal share one loaded copy; it is unloaded when the last of its users has let it go.
 * 3. What was loaded before a loss is gone: its calls reject LANE_LOST, while `load` starts a fresh worker.
 */
import { type ErrorCode, RunInferenceError } from '../errors.ts'
import type { Clock } from '../ops/clock.ts'
import type { Logger } from '../ops/logger.ts'
import {
  type BatchSlot,
  type ExecutorOptions,
  LANE_PLACES,
  type Lane,
  type LaneModel,
  type LoadedModel,
  type ModelSpec,
} from './executor.ts'
import { Batch } from './lane-batch.ts'
import { LaneCalls, type OpenLink } from './lane-calls.ts'
import { SlotMemory } from './slots.ts'

interface Copy {
  readonly key: string
  readonly model: number
  readonly generation: number
  readonly loading: Promise<LoadedModel>
  users: number
}

export interface LaneParts {
  readonly id: number
  readonly isolation: Lane['isolation']
  readonly options: ExecutorOptions
  readonly logger: Logger
  readonly clock: Clock
  /** Milliseconds on the clock that the host reads as well. */
  readonly stamp: () => number
  readonly openLink: OpenLink
  /** Throws MODEL_UNUSABLE for what this kind of lane must not load. */
  readonly admit?: (spec: ModelSpec) => void
  /** Called after the lane's calls were rejected. */
  readonly onLost: (lane: Lane, reason: RunInferenceError) => void
}

export function createLane({ id, isolation, options, logger, clock, stamp, openLink, admit, onLost }: LaneParts): Lane {
  const memories = Array.from({ length: LANE_PLACES }, () => new SlotMemory())
  const batches: (Batch | undefined)[] = Array.from({ length: LANE_PLACES }, () => undefined)
  const copies = new Map<string, Copy>()
  let lastModel = 0

  const calls = new LaneCalls(`lane ${id}`, openLink, clock, reason => {
    copies.clear()
    for (const memory of memories) memory.forget()
    logger.error({ lane: id, reason: reason.message }, 'lane lost; its models must be loaded again')
    onLost(lane, reason)
  })

  function startLoading(key: string, spec: ModelSpec): Copy {
    const model = ++lastModel
    const loading = calls.call({ type: 'load', model, spec }).then(reply => {
      if (reply.type !== 'loaded') throw new RunInferenceError('BUG', `'${reply.type}' answers a load`)
      logLoaded(logger, id, reply.loaded)
      return reply.loaded
    })
    return { key, model, generation: calls.generation, loading, users: 0 }
  }

  async function load(spec: ModelSpec): Promise<LaneModel> {
    calls.mustBeOpen()
    admit?.(spec)
    const key = JSON.stringify(spec)
    const copy = copies.get(key) ?? startLoading(key, spec)
    copies.set(key, copy)
    copy.users++
    try {
      return use(copy, await copy.loading)
    } catch (error) {
      if (copies.get(key) === copy) copies.delete(key)
      throw error
    }
  }

  function use(copy: Copy, loaded: LoadedModel): LaneModel {
    let unloaded = false

    function acquire(): BatchSlot | undefined {
      const place = batches.indexOf(undefined)
      const memory = memories[place]
      if (!memory) return undefined
      const batch = new Batch({
        model: copy.model,
        loaded,
        slot: place,
        memory,
        firstRows: options.maxBatchRows,
        stamp,
        call: message => callModel(message),
        onRelease: () => {
          batches[place] = undefined
        },
      })
      batches[place] = batch
      return batch
    }

    const callModel: LaneCalls['call'] = message => {
      if (copy.generation !== calls.generation) return Promise.reject(gone(id, loaded.modelId))
      if (unloaded)
        return Promise.reject(new RunInferenceError('BUG', `${loaded.modelId} was unloaded from lane ${id}`))
      return calls.call(message)
    }

    return {
      loaded,
      acquire,
      async runControl() {
        try {
          await callModel({ type: 'control', model: copy.model })
        } catch (error) {
          throw controlError(error, id, loaded.modelId)
        }
      },
      async unload() {
        if (unloaded || copy.generation !== calls.generation) return
        unloaded = true
        copy.users--
        if (copy.users > 0) return
        copies.delete(copy.key)
        await calls.call({ type: 'unload', model: copy.model })
      },
    }
  }

  const lane: Lane = {
    id,
    isolation,
    get occupied() {
      return batches.reduce((count, batch) => (batch ? count + 1 : count), 0)
    },
    load,
    busyMs: () => calls.busyMs(),
    close: () => calls.close(),
  }
  return lane
}

function logLoaded(logger: Logger, lane: number, { modelId, provider, loadMs, refusedProviders }: LoadedModel): void {
  const facts = { lane, modelId, provider, loadMs: Math.round(loadMs) }
  if (refusedProviders.length === 0) logger.info(facts, 'model loaded')
  else logger.warn({ ...facts, refusedProviders }, 'model loaded, but not on the provider that was asked for first')
}

function gone(id: number, modelId: string): RunInferenceError {
  return new RunInferenceError('LANE_LOST', `lane ${id} was lost after it had loaded ${modelId}; load the model again`)
}

function controlError(error: unknown, id: number, modelId: string): RunInferenceError {
  const notTheModel: readonly ErrorCode[] = ['LANE_LOST', 'CLOSED', 'BUG']
  if (error instanceof RunInferenceError && notTheModel.includes(error.code)) return error
  const text = error instanceof Error ? error.message : String(error)
  return new RunInferenceError(
    'MODEL_OUTAGE',
    `lane ${id} fails the control batch of ${modelId}, which it passed when the model was loaded: ${text}`,
    { cause: error },
  )
}
