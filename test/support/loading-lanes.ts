/** Lanes that only load and unload, when the test says so, and a set of models on them. */
import type { RunInferenceError } from '../../src/errors.ts'
import type { BatchSlot, Lane, LaneModel, LoadedModel } from '../../src/models/executor.ts'
import { executorOf } from '../../src/models/lane-pool.ts'
import type { ModelLimits } from '../../src/models/model-handler.ts'
import { ModelSet } from '../../src/models/model-set.ts'
import { SharedLanes } from '../../src/models/shared-lanes.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { createManualClock, type ManualClock } from '../../src/testing/manual-clock.ts'
import { modelSpec } from './model-specs.ts'

export interface LoadingLane extends Lane {
  occupied: number
  trouble: RunInferenceError | undefined
  /** `load a`, `unload a`, in order. */
  readonly log: string[]
  /** Ends the load that is under way. */
  finish(failure?: RunInferenceError): Promise<void>
}

/** Models are called a, b, c …; `sizes`: their bytes, by name; default 1. */
export function loadingLane(id: number, sizes: Readonly<Record<string, number>> = {}): LoadingLane {
  const log: string[] = []
  let pending: PromiseWithResolvers<void> | undefined
  const lane: LoadingLane = {
    id,
    seat: id,
    isolation: 'any',
    occupied: 0,
    trouble: undefined,
    log,
    restarts: { crash: 0, timeout: 0 },
    busyMs: () => 0,
    hasEnded: false,
    close: async () => {},
    async load({ uri }) {
      log.push(`load ${uri}`)
      pending = Promise.withResolvers()
      await pending.promise
      return modelOf(lane, uri, sizes[uri] ?? 1)
    },
    async finish(failure) {
      const { resolve, reject } = pending!
      pending = undefined
      if (failure) reject(failure)
      else resolve()
      for (let i = 0; i < 10; i++) await Promise.resolve()
    },
  }
  return lane
}

function modelOf(lane: LoadingLane, uri: string, sizeBytes: number): LaneModel {
  return {
    loaded: { modelId: uri, sizeBytes } as LoadedModel,
    acquire() {
      lane.occupied++
      return { release: () => void lane.occupied-- } as unknown as BatchSlot
    },
    runControl: async () => {},
    async unload() {
      lane.log.push(`unload ${uri}`)
    },
  }
}

export interface TestSet {
  readonly set: ModelSet
  readonly clock: ManualClock
  /** What it told, in order. */
  readonly told: string[]
  /** Loads a model in a lane, to its end. */
  load(lane: LoadingLane, cohort: number): Promise<void>
}

/** Models a, b, c … by cohort, each for the key of its name. */
export function modelSetOn(
  lanes: readonly LoadingLane[],
  models: number,
  { copies = Number.POSITIVE_INFINITY, ...limits }: ModelLimits & { readonly copies?: number } = {},
): TestSet {
  const clock = createManualClock()
  const told: string[] = []
  const nameOf = (cohort: number) => String.fromCharCode(97 + cohort)
  const set = new ModelSet({
    step: 's',
    models: Array.from({ length: models }, (_, cohort) => {
      return { spec: modelSpec(nameOf(cohort), {}, {}), lanes, copies, keys: [nameOf(cohort)] }
    }),
    limits,
    lanes: new SharedLanes(executorOf([])),
    clock,
    random: () => 1,
    logger: silentLogger,
    events: {
      loaded: (cohort, lane, _model, count) => told.push(`loaded ${nameOf(cohort)} in ${lane.id}: ${count}`),
      evicted: (cohort, lane, count) => told.push(`evicted ${nameOf(cohort)} from ${lane.id}: ${count}`),
      refused: (cohort, { code }) => told.push(`refused ${nameOf(cohort)}: ${code}`),
      outage: (_model, error) => told.push(`outage: ${(error as RunInferenceError).code}`),
      recovered: () => told.push('recovered'),
      changed: () => told.push('changed'),
      left: (lane, count) => told.push(`left ${lane.id}: ${count}`),
      switched: cohort => told.push(`switched ${nameOf(cohort)}`),
      swapEnded: (cohort, outcome) => told.push(`${outcome} ${nameOf(cohort)}`),
      isWanted: () => false,
      fatal: error => told.push(`fatal: ${String(error)}`),
    },
  })
  return {
    set,
    clock,
    told,
    async load(lane, cohort) {
      set.load(lane, cohort)
      await Promise.resolve()
      await lane.finish()
    },
  }
}
