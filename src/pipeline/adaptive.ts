/** Adaptive batch sizes at work: one estimator for each model and its settings, fed with the times of full batches. */
import type { BatchOptions, StepNode } from '../graph.ts'
import { modelSpecOf } from '../models/model-handler.ts'
import { batchOptionsOf, batchPolicy } from './batch-policy.ts'
import { BatchSizeEstimator, type EstimatorOptions } from './batch-size-estimator.ts'
import type { Batch } from './row-run.ts'

export class AdaptiveSize {
  /** The most rows that a batch should have now. */
  size: number
  readonly #estimator: BatchSizeEstimator
  readonly #listeners: (() => void)[] = []

  constructor(options: EstimatorOptions, random: () => number) {
    this.#estimator = new BatchSizeEstimator(options, random)
    this.size = this.#estimator.next()
    this.#estimator.ignoreNextTime()
  }

  /**
   * A batch took so long in the model. Only batches that the size limited count: the others say nothing of it, and a quiet
   * hour of single rows would push out what was learnt.
   */
  observe({ rows, reason }: Pick<Batch, 'rows' | 'reason'>, computeMs: number): void {
    if (reason !== 'count') return
    this.#estimator.record(rows, computeMs)
    this.size = this.#estimator.next()
    for (const listener of this.#listeners) listener()
  }

  /** Called after each change of `size`. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }
}

/** Sizes for the models of the steps that ask for it; steps that run one model with one setting share what is learnt. */
export function adaptiveSizes(random: () => number): (node: StepNode) => readonly (AdaptiveSize | undefined)[] {
  const known = new Map<string, AdaptiveSize>()
  return node => {
    const options = estimatorOptions(batchOptionsOf(node))
    return node.handler.cohorts.map(({ model }) => {
      if (!options) return undefined
      const key = JSON.stringify([modelSpecOf(model).identifier, options])
      const size = known.get(key) ?? new AdaptiveSize(options, random)
      known.set(key, size)
      return size
    })
  }
}

/** For a model of this step of which nothing is known; undefined where batches are not adaptive. */
export function newAdaptiveSize(node: StepNode, random: () => number): AdaptiveSize | undefined {
  const options = estimatorOptions(batchOptionsOf(node))
  return options && new AdaptiveSize(options, random)
}

/** Beam's defaults; undefined where batches are not adaptive. */
function estimatorOptions(batch: BatchOptions<never>): EstimatorOptions | undefined {
  const { adaptive = false } = batch
  if (adaptive === false) return undefined
  const given = adaptive === true ? {} : adaptive
  return {
    minSize: given.minSize ?? batch.minSize ?? 1,
    maxSize: batchPolicy(batch).maxSize,
    targetBatchOverhead: given.targetBatchOverhead ?? 0.05,
    targetBatchDurationMs: given.targetBatchDurationMs ?? 10_000,
    targetBatchDurationIncludingFixedCostMs: given.targetBatchDurationIncludingFixedCostMs ?? 0,
    variance: given.variance ?? 0.25,
  }
}
