/** The steps of a pipeline at work: queue, models, sizes of batches, retries and breaker of each. */
import type { StepNode } from '../graph.ts'
import { shadowTopic } from '../kafka/topic-names.ts'
import type { ModelSetEvents } from '../models/model-set-options.ts'
import { createBreaker } from '../ops/breaker.ts'
import { StepShadows } from '../refresh/step-shadows.ts'
import type { StepTrials } from '../refresh/step-trials.ts'
import type { Topology } from '../topology.ts'
import { adaptiveSizes, newAdaptiveSize } from './adaptive.ts'
import type { AssembleParts } from './assemble.ts'
import { batchOptionsOf, batchPolicy } from './batch-policy.ts'
import { BatchSizes } from './batch-sizes.ts'
import { Batcher } from './batcher.ts'
import type { CompiledGraph } from './compile.ts'
import type { DispatcherStep } from './dispatcher.ts'
import type { FailurePoints } from './failure-points.ts'
import type { FloodGuard } from './flood-guard.ts'
import { InferenceStep, type InferenceStepOptions } from './inference-step.ts'
import type { OpenedGraph } from './open-graph.ts'
import { Retries } from './retries.ts'
import { SparedRows } from './spared-rows.ts'
import { stepTrials } from './step-trials-of.ts'
import { StrayRows } from './stray-rows.ts'
import { TrialWatches } from './trial-watches.ts'

export interface StepHooks extends Pick<InferenceStepOptions, 'onReleased' | 'onProgress'> {
  /** Rows of a step wait again. */
  readonly onPutBack: () => void
  /** The breaker of the step has closed again. */
  readonly onClosed: (step: InferenceStep) => void
}

export interface BuiltStep extends DispatcherStep {
  readonly trials: StepTrials
  readonly shadows: StepShadows
}

export function buildSteps(
  topology: Topology,
  graph: CompiledGraph,
  opened: OpenedGraph,
  points: FailurePoints,
  guard: FloodGuard,
  parts: AssembleParts,
  { onReleased, onProgress, onPutBack, onClosed }: StepHooks,
): BuiltStep[] {
  const { clock, random, metrics, note, onOutage, onRecovered } = parts
  const adaptivesOf = adaptiveSizes(random)
  return topology.steps.map((node, i) => {
    const { input, output } = graph.steps[i]!
    const policy = batchPolicy(batchOptionsOf(node))
    const batcher = new Batcher(policy)
    metrics.batchCeiling(node.step, policy.maxSize)
    const sizes = new BatchSizes({
      maxSize: policy.maxSize,
      batcher,
      adaptives: adaptivesOf(node),
      onCeiling: tellCeiling(node, parts),
    })
    const watches = new TrialWatches()
    const strays = new StrayRows(node.handler.cohorts.length)
    const endsOnErrors = node.options.exceptionHandling?.only !== undefined
    const step = new InferenceStep({
      step: node.step,
      input,
      output,
      batcher,
      failureUnit: node.options.exceptionHandling?.failureUnit ?? 'bisect',
      retries: new Retries(node.options.retry ?? {}, random),
      sizes,
      watches,
      strays,
      spared: endsOnErrors ? new SparedRows({ watches, strays, batcher, onPutBack }) : undefined,
      models: opened.models.get(node)!,
      meters: {
        preprocess: guard.meterOf(node, 'preprocess'),
        inference: guard.meterOf(node, 'inference'),
        postprocess: guard.meterOf(node, 'postprocess'),
      },
      failures: points.ofStep(node, 'inference'),
      metrics,
      note,
      now: () => clock.now(),
      onReleased,
      onProgress,
    })
    const breaker = createBreaker({ name: node.step, clock, probe: () => step.probe() })
    breaker.onChange((state, cause) => {
      metrics.breakerState(node.step, state)
      if (state === 'open') onOutage(`breaker of step ${node.step}`, cause)
      if (state === 'closed') {
        onRecovered(`breaker of step ${node.step}`)
        // Nothing else may come that would make the dispatcher look: the partitions may all be paused by now.
        onClosed(step)
      }
    })
    const newAdaptive = () => newAdaptiveSize(node, random)
    const models = opened.models.get(node)!
    const shadows = new StepShadows({
      ...{ step: node.step, topic: shadowTopic(topology.name, node.step), models, output, port: parts.port },
      ...{ metrics, clock, onOutage, onRecovered },
      setTap(tap) {
        watches.tap = tap
      },
      onRan: (cohort, rows, computeMs) => watches.ran(cohort, rows, computeMs),
      onFailed: (cohort, rows) => watches.failed(cohort, rows),
    })
    const { length: cohorts } = node.handler.cohorts
    const trials = stepTrials({ cohorts, models, input, sizes, watches, newAdaptive, shadows })
    return { step, breaker, cohorts, trials, shadows }
  })
}

/** What the models of a step tell, and to whom. */
export function modelEvents(
  { step }: StepNode,
  { metrics, onOutage, onRecovered, onFatal }: AssembleParts,
  rest: Pick<ModelSetEvents, 'refused' | 'changed' | 'switched' | 'isWanted'>,
): ModelSetEvents {
  return {
    loaded(cohort, { id }, { loadMs, sizeBytes }, count) {
      metrics.modelLoaded(step, cohort, loadMs, sizeBytes)
      metrics.modelsResident(step, id, count)
    },
    evicted(cohort, { id }, count) {
      metrics.modelEvicted(step, cohort)
      metrics.modelsResident(step, id, count)
    },
    left: ({ id }, count) => metrics.modelsResident(step, id, count),
    swapEnded: (_cohort, outcome, ms) => metrics.modelSwapEnded(step, outcome, ms),
    outage: onOutage,
    recovered: onRecovered,
    fatal: onFatal,
    ...rest,
  }
}

function tellCeiling(
  { step, handler }: StepNode,
  { metrics, logger }: AssembleParts,
): ConstructorParameters<typeof BatchSizes>[0]['onCeiling'] {
  return (cohort, rows, lowest, failedRows) => {
    metrics.batchCeiling(step, lowest)
    const facts = { step, model: handler.cohorts[cohort % handler.cohorts.length]!.model.uri, rows }
    if (failedRows === undefined) logger.info(facts, 'trying larger batches again')
    else
      logger.warn(
        { ...facts, failedRows },
        'a batch was too large for the device, the model or its time: smaller ones from now on',
      )
  }
}
