/** One slot with its trial, on a step that notes what it is told, and loads that end when the test says so. */
import assert from 'node:assert/strict'
import type { RunInferenceError } from '../../src/errors.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { nullMetrics } from '../../src/pipeline/null-metrics.ts'
import type { SlotModels } from '../../src/refresh/live-models.ts'
import { LiveSlot, type PreparedVersion } from '../../src/refresh/live-slot.ts'
import { LiveTrial, type Trial } from '../../src/refresh/live-trial.ts'
import { stableTarget } from '../../src/refresh/slot-target.ts'
import type { StepModels } from '../../src/refresh/step-models.ts'
import type { ShadowTrial, StepTrials, TrialWatch } from '../../src/refresh/step-trials.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'

interface Load {
  readonly modelId: string
  readonly isCandidate: boolean
  readonly signal: AbortSignal
  isOver: boolean
  finish(error?: RunInferenceError): void
}

/** What the step has been told, and what is in its lanes. */
export interface ToldStep {
  stable: string | undefined
  candidate: string | undefined
  split: Parameters<StepTrials['setSplit']>[1]
  shadow: ShadowTrial | undefined
  watch: TrialWatch | undefined
  /** Of the candidate, in native code. */
  busyMs: number
}

export function slotOnTrial() {
  const clock = createManualClock()
  const loads: Load[] = []
  const log: string[] = []
  const aborts: { readonly trial: Trial; readonly reason: string; readonly signal: AbortSignal }[] = []
  const step: ToldStep = {
    ...{ stable: undefined, candidate: undefined, split: undefined, shadow: undefined, watch: undefined, busyMs: 0 },
  }
  let open = 0
  const load = (isCandidate: boolean) => async (model: { readonly modelId: string }, signal: AbortSignal) => {
    const { modelId } = model
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const entry: Load = {
      ...{ modelId, isCandidate, signal, isOver: false },
      finish(error) {
        entry.isOver = true
        if (error) reject(error)
        else resolve()
      },
    }
    loads.push(entry)
    log.push(`load ${modelId}`)
    await promise
    open++
    const serve = () => {
      open--
      log.push(`serve ${modelId}`)
      step[isCandidate ? 'candidate' : 'stable'] = modelId
      return {}
    }
    return { modelId, serve, discard: () => void open-- } satisfies PreparedVersion
  }
  const isTold = () => assert.ok(step.candidate, 'a step is told of a candidate that is loaded')
  const models: SlotModels = {
    slot: { text: 's', step: 's', cohort: 0, keys: undefined },
    hasOwn: true,
    candidateCohort: 1,
    candidateBusyMs: () => step.busyMs,
    prepare: load(false),
    prepareCandidate: load(true),
    promote({ modelId }) {
      assert.equal(step.candidate, modelId)
      assert.deepEqual([step.split, step.shadow, step.watch], [undefined, undefined, undefined])
      log.push(`promote ${modelId}`)
      step.stable = step.candidate
      step.candidate = undefined
      return {}
    },
    dropCandidate() {
      isTold()
      assert.deepEqual([step.split, step.shadow, step.watch], [undefined, undefined, undefined])
      log.push(`drop ${step.candidate}`)
      step.candidate = undefined
    },
    trials: {
      setSplit(_, split) {
        isTold()
        step.split = split
      },
      setShadow(_, shadow) {
        isTold()
        step.shadow = shadow
      },
      setWatch(_, watch) {
        isTold()
        step.watch = watch
      },
    },
  }
  const ignore = () => {}
  const common = { clock, random: () => 0, onOutage: ignore, onRecovered: ignore, onChange: ignore }
  const trial = new LiveTrial({
    ...{ ...common, models, logger: silentLogger, metrics: nullMetrics, windowMs: 60_000, stuckMs: 10_000 },
    abort: (of, reason, signal) => void aborts.push({ trial: of, reason, signal }),
  })
  const slot = new LiveSlot({
    ...{ ...common, hasOwn: true, onFailed: ignore, onHopeless: ignore },
    prepare: models.prepare,
    loaded: model => trial.loaded(model),
  })
  return {
    ...{ clock, loads, log, aborts, step, trial, slot, open: () => open },
    async update(state: StepModels | undefined, offset: number) {
      slot.update(stableTarget(state, offset))
      trial.update(state, offset)
      await clock.settle()
    },
    /** Ends the newest load of a model. */
    async finish(modelId: string, error?: RunInferenceError) {
      loads.findLast(each => each.modelId === modelId && !each.isOver)!.finish(error)
      await clock.settle()
    },
    told: () => {
      const status = trial.status()
      return status && `${status.revision} ${status.state} ${status.modelId}`
    },
  }
}
