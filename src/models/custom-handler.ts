/** Handlers that users write: what they implement, and how it becomes a handler. */
import type { BatchOptions } from '../graph.ts'
import type { EnvVars } from './env-vars.ts'
import type { CustomSpec, Isolation } from './executor.ts'
import { type BareModelHandler, bareHandlerOf } from './model-handler.ts'
import type { ResourceHints } from './resource-hints.ts'

/** What a step gives to every call of its model. Plain data. */
export type InferenceArgs = Readonly<Record<string, unknown>>

/** Results of a batch, one for each example, in order; a generator is read to its end before any result leaves. */
export type Results<Result> = Iterable<Result> | AsyncIterable<Result>

/**
 * A model handler of your own (Beam: a subclass of ModelHandler). Its methods run in lanes, which import the topology module
 * again: examples and results are copied between threads, so both must be plain data (docs/handlers.md says what is). Only
 * `name`, `loadModel` and `runInference` are needed; members that are added to this interface will be optional.
 */
export interface CustomHandler<in Example, out Result, in out Model = unknown> {
  /** For people, metrics and errors; the model id unless `modelId` is given. */
  readonly name: string
  /** What `loadModel` is given: a path, an address, any text; with `modelIsFile` where the file is. Default: the name. */
  readonly modelId?: string
  /**
   * True: `modelId` is a path or an address of a file, published models too. It is fetched and checked as ONNX models are, and
   * `loadModel` is given the path of the local file. Default: `loadModel` is given the text as it is.
   */
  readonly modelIsFile?: boolean
  /** Called once per lane and step (or `modelIdentifier`), before the first batch. A throw stops the instance before it joins; for a per-key model it fails its rows. */
  loadModel(modelId: string): Model | Promise<Model>
  /** Runs a batch. What it throws, and more or fewer results than examples, make dead letters of the examples to blame. */
  runInference(
    batch: readonly Example[],
    model: Model,
    inferenceArgs?: InferenceArgs,
  ): Results<Result> | Promise<Results<Result>>
  /** Called with the step's `inferenceArgs` before any record; throw to refuse them (Beam: validate_inference_args). */
  validateInferenceArgs?(inferenceArgs: InferenceArgs | undefined): void
  /** Frees what the model holds when a lane lets it go. */
  unloadModel?(model: Model): void | Promise<void>
  /** A batch that the model is known to take: run when it is loaded, and to tell an outage from bad rows. */
  controlBatch?(): readonly unknown[]
  /** True for errors that trying again can mend, such as a service that is busy. Default: none. */
  isTransient?(error: unknown): boolean
  /** Bytes of a batch, for metrics (Beam: get_num_bytes). Default: those of its copy. */
  getNumBytes?(batch: readonly Example[]): number
  /** Beam: get_metrics_namespace; default 'RunInference'. */
  readonly metricsNamespace?: string
  readonly resourceHints?: ResourceHints
  /** Defaults for the step's `batch` (Beam: batch_elements_kwargs). */
  readonly batchElementsOptions?: BatchOptions<Example>
  /** Set in the process before the first load. */
  readonly envVars?: Readonly<Record<string, string>>
  /** Lanes that hold the model; default: all. */
  readonly modelCopies?: number
  /** `thread`: a worker thread, the cheapest. `process`: a child process, which can be ended and replaced. Default: `process` where `timeoutMs` is set. */
  readonly isolation?: Isolation
  /** One call may take so long; what takes longer is ended with its process, and searched for the guilty row. */
  readonly timeoutMs?: number
}

/** What a custom handler runs. */
export interface CustomModel {
  readonly kind: 'custom'
  /** The name and model id, as predictions and errors show them. */
  readonly uri: string
  readonly handler: CustomHandler<never, unknown, never>
  /** What is loaded is a file, to be fetched. */
  readonly isFile: boolean
  /** Completed with the place of the handler in its topology when the topology is opened. */
  readonly spec: CustomSpec
  readonly isolation: Isolation
  readonly providers: readonly ['cpu']
  readonly timeoutMs?: number
  readonly modelCopies?: number
  readonly envVars?: EnvVars
}

const VALUE = { '': { dtype: 'value', shape: [] } } as const

/** Makes a handler of your own usable in a topology: bare, so that `keyed` and `maybeKeyed` take it. */
export function modelHandler<Example, Result, Model>(
  handler: CustomHandler<Example, Result, Model>,
): BareModelHandler<Example, Result> {
  const { name, modelId = name, timeoutMs, isolation, modelCopies, envVars } = handler
  const place = isolation ?? (timeoutMs === undefined ? 'thread' : 'process')
  const both = {
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(envVars === undefined ? {} : { envVars }),
  }
  return bareHandlerOf<Example, Result>(
    {
      kind: 'custom',
      uri: modelId,
      handler: handler as unknown as CustomHandler<never, unknown, never>,
      isFile: handler.modelIsFile === true,
      spec: {
        identifier: name,
        kind: 'custom',
        name,
        uri: modelId,
        inputs: VALUE,
        outputs: VALUE,
        providers: ['cpu'],
        isolation: place,
        place: undefined,
        ...both,
      },
      isolation: place,
      providers: ['cpu'],
      ...both,
      ...(modelCopies === undefined ? {} : { modelCopies }),
    },
    {
      batch: (handler.batchElementsOptions ?? {}) as BatchOptions<never>,
      metricsNamespace: handler.metricsNamespace,
      resourceHints: handler.resourceHints ?? {},
    },
  )
}
