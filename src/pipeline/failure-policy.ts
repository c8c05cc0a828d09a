/**
 * What a step's `exceptionHandling` says of a failure: a dead letter, or the end of the application, or of the trial where a model on
 * trial has brought it about. Dead letters are counted for the flood guard on the way.
 */
import { type ErrorCode, RunInferenceError } from '../errors.ts'
import type { ExceptionHandling, StepNode } from '../graph.ts'
import type { FailedStage } from '../kafka/topic-names.ts'
import type { FloodMeter } from './flood-guard.ts'
import type { Failure, FailurePolicy } from './stage.ts'
import type { WorkBlock } from './work-block.ts'

/**
 * Errors that functions and models throw. Everything else that can befall a record (bytes that cannot be decoded, keys, shapes,
 * encodings, time, lost workers) is ours to judge, and always a dead letter.
 */
const THROWN: ReadonlySet<ErrorCode> = new Set(['FUNCTION_THREW', 'POSTPROCESS_THREW', 'INFERENCE_FAILED'])

type ErrorClasses = NonNullable<ExceptionHandling['only']>

/** Undefined where every failure is a dead letter and nobody counts. `isAside`: the failing node is on a way without any step. */
export function failurePolicy(
  step: StepNode | undefined,
  stage: FailedStage,
  isAside: boolean,
  meter: FloodMeter | undefined,
  onFatal: (error: RunInferenceError) => void,
): FailurePolicy | undefined {
  const { only, failureUnit } = step?.options.exceptionHandling ?? {}
  if (!only && !meter) return undefined
  // What fails behind the model was counted when it left the model; where there is no step, when it was decoded.
  const isCounted = stage === 'postprocess' || step === undefined || isAside
  const isPerBatch = stage === 'inference' && failureUnit === 'batch'
  let lastBatch: number | undefined
  return (work, element, failure, { batch, isOnTrial, spare }) => {
    if (only && isUnhandled(failure.error, only)) {
      const error = unhandled(work, element, failure, only)
      if (!spare) onFatal(error)
      if (!spare || spare(failure, error)) return 'undone'
    }
    // Rows that fail with their batch are one.
    const isSame = isPerBatch && batch !== undefined && batch === lastBatch
    lastBatch = batch
    if (!isOnTrial) meter?.failed(work, isSame ? 0 : 1, isCounted, failure.error)
    return 'dead-letter'
  }
}

function isUnhandled(error: RunInferenceError, only: ErrorClasses): boolean {
  const { code, cause } = error
  const errorTypes = thrownTypes(error)
  if (!THROWN.has(code) || errorTypes.length === 0) return false
  // An error of a lane comes without the object that was thrown, but with the names of its classes.
  return !only.some(wanted => {
    if (typeof wanted === 'string') return errorTypes.includes(wanted)
    return cause === undefined ? errorTypes.includes(wanted.name) : isOf(cause, wanted)
  })
}

/** What onnxruntime throws is a plain error, always. */
function thrownTypes({ code, errorTypes }: RunInferenceError): readonly string[] {
  return code === 'INFERENCE_FAILED' && errorTypes.length === 0 ? ['Error'] : errorTypes
}

/** Not every object lets itself be asked. */
function isOf(thrown: unknown, wanted: Exclude<ErrorClasses[number], string>): boolean {
  try {
    return thrown instanceof wanted
  } catch {
    return false
  }
}

function unhandled(work: WorkBlock, element: number, { point, index, error }: Failure, only: ErrorClasses) {
  const { topic, partition } = work.block
  const source = `${topic}/${partition}/${work.block.offset(work.rowOf(element))}`
  const where = index < 0 ? point.node : `step ${point.step}, ${point.stage} function ${index}`
  const names = only.map(each => (typeof each === 'string' ? each : each.name)).join(', ')
  const says = only.length > 0 ? `makes dead letters of ${names} alone` : 'makes dead letters of no error'
  const what = `${where}, record ${source}: ${thrownTypes(error)[0]}: ${error.message}`
  return new RunInferenceError('UNHANDLED', `${what}; exceptionHandling.only of step ${point.step} ${says}`, {
    cause: error.cause ?? error,
    errorTypes: thrownTypes(error),
  })
}
