/** Lanes without a model, whose runs a test answers itself, and steps on them. */
import { RunInferenceError } from '../../src/errors.ts'
import { type BatchOutputs, type BatchSlot, LANE_PLACES, type Lane, type LaneModel } from '../../src/models/executor.ts'
import type { ModelSet } from '../../src/models/model-set.ts'
import type { ModelVersion } from '../../src/models/model-version.ts'
import { batchPolicy } from '../../src/pipeline/batch-policy.ts'
import { BatchSizes } from '../../src/pipeline/batch-sizes.ts'
import { Batcher } from '../../src/pipeline/batcher.ts'
import { InferenceStep, type InferenceStepOptions } from '../../src/pipeline/inference-step.ts'
import { nullMetrics } from '../../src/pipeline/null-metrics.ts'
import { Retries } from '../../src/pipeline/retries.ts'
import type { RowCost } from '../../src/pipeline/row-cost.ts'
import type { RowRun, RunSegment } from '../../src/pipeline/row-run.ts'
import { StrayRows } from '../../src/pipeline/stray-rows.ts'
import { TrialWatches } from '../../src/pipeline/trial-watches.ts'
import type { WorkBlock } from '../../src/pipeline/work-block.ts'

/** What a run does: nothing, or throws. Rows are given as positions in the filled batch. */
export type Answer = (rows: readonly number[]) => void | Promise<void>

export interface FakeLane extends Lane {
  readonly model: LaneModel
  /** Values of the rows of each run. */
  readonly runs: readonly (readonly number[])[]
  readonly controls: number
  answer: Answer
  controlFails: boolean
  /** Rows for which a slot has memory. */
  roomFor: number
  trouble: RunInferenceError | undefined
}

/** A lane of LANE_PLACES whose rows are single numbers. */
export function fakeLane(id = 0): FakeLane {
  const runs: number[][] = []
  let controls = 0
  let occupied = 0
  const model: LaneModel = {
    loaded: { modelId: 'm', inputs: [] as readonly unknown[] } as LaneModel['loaded'],
    acquire: () => (occupied === LANE_PLACES ? undefined : slot()),
    async runControl() {
      controls++
      if (lane.controlFails) throw new RunInferenceError('MODEL_OUTAGE', 'the control batch fails')
    },
    unload: async () => {},
  }
  function slot(): BatchSlot {
    occupied++
    let values = new Float64Array()
    let released = false
    return {
      prepare(rows) {
        if (rows > lane.roomFor) throw new RunInferenceError('DEVICE_MEMORY', `no room for ${rows} rows`)
        values = new Float64Array(rows)
        return [values]
      },
      async run(from, rows): Promise<BatchOutputs> {
        const taken = Array.from(values.subarray(from, from + rows))
        runs.push(taken)
        await lane.answer(taken)
        if (released) throw new Error('the slot was released while it ran')
        const outputs = [{ data: Float64Array.from(taken), rowShape: [] }]
        return { modelId: 'm', rows, outputs, computeMs: 0, queueMs: 0 }
      },
      release() {
        if (released) throw new Error('released twice')
        released = true
        occupied--
      },
    }
  }
  const lane: FakeLane = {
    id,
    seat: id,
    isolation: 'any',
    model,
    runs,
    get controls() {
      return controls
    },
    get occupied() {
      return occupied
    },
    answer: () => {},
    controlFails: false,
    roomFor: Number.POSITIVE_INFINITY,
    load: async () => model,
    busyMs: () => 0,
    restarts: { crash: 0, timeout: 0 },
    trouble: undefined,
    hasEnded: false,
    close: async () => {},
  }
  return lane
}

/** Rows that are all alike. */
export function plainCost(rowBytes: number): RowCost {
  return { rowBytes, stringBytes: undefined, sizes: undefined, lengths: undefined, padding: undefined }
}

/** The model of each lane, which has been loaded. */
function heldModels(lanes: readonly FakeLane[]) {
  const version = { cohort: 0 } as ModelVersion
  const modelIn = (lane: FakeLane) => (lanes.includes(lane) ? lane.model : undefined)
  return {
    isOnDemand: false,
    differ: false,
    lanes,
    takesBatches: (lane: FakeLane) => lanes.includes(lane),
    modelIn,
    lastUsedIn: modelIn,
    acquire: (lane: FakeLane) => {
      const model = modelIn(lane)
      const slot = model?.acquire()
      return slot && { slot, model: model!, version, release: () => slot.release() }
    },
    letGo: () => {},
    refusalOf: () => undefined,
    rested: () => [],
    outageOver: () => {},
    rest: () => false,
  } satisfies Partial<Record<keyof ModelSet, unknown>>
}

export interface FakeStep {
  readonly step: InferenceStep
  readonly batcher: Batcher
  /** The most rows of a batch, as it changed. */
  readonly ceilings: readonly number[]
  /** Rows that came out, as numbers, in order. */
  readonly delivered: number[]
  /** Queues a run of these numbers, as rows of the block. */
  queue(work: WorkBlock, values: readonly number[]): void
}

export function fakeStep(
  lanes: readonly FakeLane[],
  batch: object = {},
  change: Partial<InferenceStepOptions> = {},
): FakeStep {
  const policy = batchPolicy(batch)
  const batcher = new Batcher(policy)
  const ceilings: number[] = []
  const delivered: number[] = []
  const staged: RowRun[] = []
  const output = {
    deliver({ run, from, to }: RunSegment, outputs: BatchOutputs, at: number) {
      for (let i = from; i < to; i++) {
        delivered.push((outputs.outputs[0]!.data as Float64Array)[at + i - from]!)
        run.work.complete(run.rows[i]!)
      }
    },
  }
  const step = new InferenceStep({
    step: 's',
    input: { takeRuns: () => staged.splice(0) },
    output,
    batcher,
    failureUnit: 'bisect',
    meters: { preprocess: undefined, inference: undefined, postprocess: undefined },
    retries: new Retries({}, () => 1),
    sizes: new BatchSizes({
      maxSize: policy.maxSize,
      batcher,
      adaptives: [],
      onCeiling: (_cohort, rows) => ceilings.push(rows),
    }),
    models: heldModels(lanes),
    failures: { topic: 't.s.failed-inference', stage: 'inference', step: 's', node: 'step s', listeners: [] },
    metrics: nullMetrics,
    watches: new TrialWatches(),
    strays: new StrayRows(1),
    note: () => {},
    now: () => 0,
    onReleased: () => {},
    onProgress: () => {},
    ...change,
  } as unknown as InferenceStepOptions)
  return {
    step,
    batcher,
    ceilings,
    delivered,
    queue(work, values) {
      staged.push({
        work,
        route: 0,
        cohort: 0,
        count: values.length,
        rows: Int32Array.from(values.keys()),
        bucketKey: '',
        rowShapes: [[]],
        cost: plainCost(8),
        arrivedAtMs: 0,
        keys: undefined,
        fill(from, count, inputs, at) {
          ;(inputs[0] as Float64Array).set(values.slice(from, from + count), at)
        },
        example: () => undefined,
      })
    },
  }
}
