/**
 * A lane as the pipeline sees it (the `Lane` port), over calls to a host that may be a thread or the calling thread itself.
 *
 * 1. LANE_PLACES a lane: one batch runs while the next ones are filled. Places are shared by the models of the lane.
 * 2. Specs that are equal share one loaded copy; it is unloaded when the last of its users has let it go.
 * 3. A worker that is lost is not seen here: the supervisor replaces it, with the same models under the same numbers. Only the
 *    provider that takes a model may be another one then.
 */
import { type ErrorCode, RunInferenceError } from '../errors.ts'
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
import type { LaneAnswer, LaneCall, LaneLink, LinkEvents } from './lane-link.ts'
import { LaneSupervisor, type SupervisorParts } from './lane-supervisor.ts'
import { SlotMemory } from './slots.ts'

interface Copy {
  readonly key: string
  readonly model: number
  /** Fulfilled once `loaded` is there. */
  readonly loading: Promise<void>
  loaded: LoadedModel | undefined
  users: number
}

export interface LaneParts extends Omit<SupervisorParts, 'onReloaded'>, Pick<Lane, 'seat' | 'isolation' | 'envVars'> {
  readonly options: ExecutorOptions
  /** Milliseconds on the clock that the host reads as well. */
  readonly stamp: () => number
  /** Throws MODEL_UNUSABLE for what this kind of lane must not load. */
  readonly admit?: (spec: ModelSpec) => void
}

export function createLane({ id, seat, isolation, envVars, options, stamp, admit, ...parts }: LaneParts): Lane {
  const memories = Array.from({ length: LANE_PLACES }, () => new SlotMemory())
  const batches: (Batch | undefined)[] = Array.from({ length: LANE_PLACES }, () => undefined)
  const copies = new Map<string, Copy>()
  let lastModel = 0

  const calls = new LaneSupervisor({ id, onReloaded, ...parts, openLink })

  function openLink({ reply, ended }: LinkEvents): LaneLink {
    return parts.openLink({
      ended,
      reply(message) {
        if ('warnings' in message)
          for (const warning of message.warnings ?? []) parts.logger.warn({ lane: id }, warning)
        reply(message)
      },
    })
  }

  function onReloaded(model: number, loaded: LoadedModel): void {
    for (const copy of copies.values()) if (copy.model === model) tell(copy, loaded)
  }

  function tell(copy: Copy, loaded: LoadedModel): void {
    copy.loaded = loaded
    logLoaded(parts.logger, id, loaded)
  }

  function startLoading(key: string, spec: ModelSpec, timeoutMs: number | undefined): Copy {
    const model = ++lastModel
    const limit = timeoutMs === undefined ? {} : { timeoutMs }
    const loading = calls.call({ type: 'load', model, spec, ...limit }).then(reply => {
      if (reply.type !== 'loaded') throw new RunInferenceError('BUG', `'${reply.type}' answers a load`)
      tell(copy, reply.loaded)
    })
    const copy: Copy = { key, model, loading, loaded: undefined, users: 0 }
    return copy
  }

  async function load(spec: ModelSpec, timeoutMs?: number): Promise<LaneModel> {
    calls.mustBeOpen()
    admit?.(spec)
    const key = JSON.stringify(spec)
    const copy = copies.get(key) ?? startLoading(key, spec, timeoutMs)
    copies.set(key, copy)
    copy.users++
    try {
      await copy.loading
      return use(copy)
    } catch (error) {
      if (copies.get(key) === copy) copies.delete(key)
      throw error
    }
  }

  function use(copy: Copy): LaneModel {
    let unloaded = false
    const loaded = () => copy.loaded!

    function acquire(): BatchSlot | undefined {
      const place = batches.indexOf(undefined)
      const memory = memories[place]
      if (!memory) return undefined
      const batch = new Batch({
        model: copy.model,
        loaded: loaded(),
        slot: place,
        memory,
        firstRows: options.maxBatchRows,
        stamp,
        call: callModel,
        onRelease: () => {
          batches[place] = undefined
        },
      })
      batches[place] = batch
      return batch
    }

    function callModel(message: LaneCall): Promise<LaneAnswer> {
      if (!unloaded) return calls.call(message)
      return Promise.reject(new RunInferenceError('BUG', `${loaded().modelId} was unloaded from lane ${id}`))
    }

    return {
      get loaded() {
        return loaded()
      },
      acquire,
      async runControl() {
        try {
          await callModel({ type: 'control', model: copy.model })
        } catch (error) {
          throw controlError(error, id, loaded().modelId)
        }
      },
      async unload() {
        if (unloaded) return
        unloaded = true
        copy.users--
        if (copy.users > 0) return
        copies.delete(copy.key)
        await calls.call({ type: 'unload', model: copy.model })
      },
    }
  }

  return {
    id,
    seat,
    isolation,
    ...(envVars === undefined ? {} : { envVars }),
    get occupied() {
      return batches.reduce((count, batch) => (batch ? count + 1 : count), 0)
    },
    load,
    busyMs: () => calls.busyMs(),
    restarts: calls.restarts,
    get trouble() {
      return calls.trouble
    },
    get hasEnded() {
      return calls.hasEnded
    },
    close: soon => calls.close(soon),
  }
}

function logLoaded(logger: Logger, lane: number, loaded: LoadedModel): void {
  const { modelId, provider, partlyOnCpu, loadMs, refusedProviders } = loaded
  const facts = { lane, modelId, provider, partlyOnCpu, loadMs: Math.round(loadMs) }
  if (refusedProviders.length === 0) logger.info(facts, 'model loaded')
  else logger.warn({ ...facts, refusedProviders }, 'model loaded, but not on the provider that was asked for first')
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
