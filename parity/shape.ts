/** What a run gave, in the shape of what was recorded, so that the two can be compared field by field. */
import { RunInferenceError } from 'kafka-run-inference'
import type { RunResult } from './beam-run.ts'
import { failedFunctions, failedInferences, otherFailures } from './dead-letters.ts'
import { thrownText } from './our-text.ts'
import type { Recorder } from './recorder.ts'

export type Shape = Readonly<Record<string, unknown>>
/** Fields that only one case has. */
export type MoreFields = Readonly<Record<string, unknown>>

/** `recorded`: whose fields are wanted; what is not recorded of a case is not shown, except for failures, which always are. */
export function shapeOf(recorded: Shape, result: RunResult, recorder: Recorder, more: MoreFields = {}): Shape {
  const functions = {
    preprocess: result.handler?.definition.preprocess.length ?? 0,
    postprocess: result.handler?.definition.postprocess.length ?? 0,
  }
  const fields: MoreFields = {
    pipeline_error: errorOf(result.error),
    main: result.main,
    dlq_shape: {
      type: 'RunInferenceDLQ',
      fields: ['failed_inferences', 'failed_preprocessing', 'failed_postprocessing'],
      failed_preprocessing_len: functions.preprocess,
      failed_postprocessing_len: functions.postprocess,
    },
    failed_inferences: failedInferences(result),
    failed_preprocessing: failedFunctions(result, 'preprocess', functions.preprocess),
    failed_postprocessing: failedFunctions(result, 'postprocess', functions.postprocess),
    batches_seen_by_model: recorder.batches,
    batch_sizes: recorder.batches.map(batch => (batch as readonly unknown[]).length),
    model_loads: recorder.loads,
    fn_calls_in_order: recorder.calls,
    metrics: metricsOf(result.metrics),
    ...more,
  }
  const shown = Object.keys(recorded).map(name => {
    if (!(name in fields)) throw new Error(`the case records ${name}, which nothing here makes`)
    return [name, fields[name]] as const
  })
  return { ...Object.fromEntries(shown), ...unrecorded(recorded, result, fields) }
}

/** By kind, namespace and name, as the recorded ones are compared. */
export function metricsOf(metrics: RunResult['metrics']): Shape {
  return Object.fromEntries(
    metrics.map(({ namespace, name, step, value }) => [
      `${typeof value === 'number' ? 'counter' : 'distribution'} ${namespace}/${name}`,
      { step, value },
    ]),
  )
}

/** Failures that have no field in what was recorded. */
function unrecorded(recorded: Shape, result: RunResult, fields: MoreFields): Shape {
  const found: Record<string, unknown> = {}
  for (const name of ['failed_inferences', 'failed_preprocessing', 'failed_postprocessing']) {
    const letters = (fields[name] as readonly unknown[]).flat()
    if (!(name in recorded) && letters.length > 0) found[name] = letters
  }
  const others = otherFailures(result)
  if (others.length > 0) found.failed_elsewhere = others
  return found
}

/** The error that ended the topology, or kept it from starting: what a user threw is shown as it was thrown. */
export function errorOf(error: unknown): unknown {
  if (error === undefined) return null
  if (!(error instanceof RunInferenceError)) return { type: typeof error, message: String(error), where: undefined }
  const { code, message, errorTypes } = error
  const where = placeIn(message)
  return errorTypes[0] === undefined
    ? { type: code, message, where }
    : { type: errorTypes[0], message: thrownText(message), where }
}

/** `step RI`, `step RI, preprocess function 0` and `preprocessing of step RI`, as Beam's sub-steps are read. */
function placeIn(message: string): string | undefined {
  const [, all, step, stage, index] =
    /(?:\b((?:pre|post)process)ing of )?\bstep "?(\w+)"?(?:,? ((?:pre|post)process) function (\d+))?/.exec(message) ??
    []
  if (step === undefined) return undefined
  return stage === undefined ? [step, all].filter(Boolean).join(' ') : `${step} ${stage}[${index}]`
}
