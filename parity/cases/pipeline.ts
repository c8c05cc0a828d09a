/** One recorded pipeline run, and the families of cases that their `config` says all of. */
import type { BatchOptions, ExceptionHandling, StepOptions } from 'kafka-run-inference'
import type { DriverOptions } from 'kafka-run-inference/testing'
import { beamRun } from '../beam-run.ts'
import { functionOfText } from '../functions.ts'
import { type AnyHandler, handlerOfText } from '../handler-text.ts'
import type { OracleCase } from '../oracle-case.ts'
import { Recorder } from '../recorder.ts'
import { type MoreFields, type Shape, shapeOf } from '../shape.ts'

/** Runs a case; gives what was recorded of it, as it is here. */
export type CaseRun = (oracle: OracleCase) => Promise<unknown>

export interface BeamBatch {
  readonly min_batch_size?: number
  readonly max_batch_size?: number
}

export interface PipelineConfig {
  readonly handler?: string
  readonly batch?: BeamBatch
  readonly pre?: string
  readonly post?: string
  readonly pre_added_in_order?: readonly string[]
  readonly post_added_in_order?: readonly string[]
  readonly added_in_order?: readonly string[]
}

export interface Pipeline {
  readonly input: readonly unknown[]
  readonly times?: readonly number[]
  readonly handler: (recorder: Recorder) => AnyHandler
  readonly batch?: BeamBatch | undefined
  readonly exceptionHandling?: ExceptionHandling
  readonly step?: StepOptions<never>
  readonly behind?: (recorder: Recorder) => (result: unknown) => unknown
  readonly driver?: DriverOptions
  /** Fields that only this case has. */
  readonly more?: (result: Awaited<ReturnType<typeof beamRun>>, recorder: Recorder) => MoreFields
}

/** `recorded`: a run with a field `dlq_shape` had exception handling; without it Beam lets every error end the pipeline. */
export async function pipeline(recorded: unknown, run: Pipeline): Promise<Shape> {
  const recorder = new Recorder()
  const handled = 'dlq_shape' in (recorded as object)
  const exceptionHandling: ExceptionHandling = {
    failureUnit: 'batch',
    ...(handled ? run.exceptionHandling : { only: [] }),
  }
  const result = await beamRun({
    input: run.input,
    ...(run.times ? { times: run.times } : {}),
    ...(run.behind ? { behind: run.behind(recorder) } : {}),
    ...(run.driver ? { driver: run.driver } : {}),
    handler: () => run.handler(recorder),
    options: { batch: batchOf(run.batch), exceptionHandling, ...run.step },
  })
  return shapeOf(recorded as Shape, result, recorder, run.more?.(result, recorder))
}

/** Sizes that were recorded with min = max: full batches, then what is left of the bundle. Without any, one batch takes all. */
export function batchOf(batch: BeamBatch = {}): BatchOptions {
  return { maxSize: batch.max_batch_size ?? 10 }
}

/** A case whose config names handler, functions and batches in words. */
export function inWords(more: Partial<Pipeline> = {}): CaseRun {
  return ({ input, config, expected }) => {
    const words = config as PipelineConfig
    return pipeline(expected, {
      input: input as readonly unknown[],
      batch: words.batch,
      handler: recorder => withFunctions(handlerInWords(words.handler ?? 'echo', recorder), words, recorder),
      ...more,
    })
  }
}

export function handlerInWords(text: string, recorder: Recorder): AnyHandler {
  const [handler = '', ...additions] = text.split(', ')
  const made = handlerOfText(handler, recorder)
  return additions.includes('with_no_batching') ? made.withNoBatching() : made
}

/** Functions in the order in which the case adds them. */
export function withFunctions(handler: AnyHandler, config: PipelineConfig, recorder: Recorder): AnyHandler {
  const added = [
    ...[config.pre ?? []].flat().map(text => `pre ${text}`),
    ...(config.pre_added_in_order ?? []).map(text => `pre ${text}`),
    ...[config.post ?? []].flat().map(text => `post ${text}`),
    ...(config.post_added_in_order ?? []).map(text => `post ${text}`),
    ...(config.added_in_order ?? []),
  ]
  return added.reduce<AnyHandler>((made, text) => {
    const kind = text.slice(0, text.indexOf(' '))
    const fn = functionOfText(text.slice(kind.length + 1), recorder)
    return kind === 'pre' ? made.withPreprocess<never>(fn as never) : made.withPostprocess(fn)
  }, handler)
}
