import type { ReadSchema, SchemaRegistryPort } from './kafka/codec.ts'
import type { KafkaPort } from './kafka/port.ts'
import type { Executor } from './models/executor.ts'
import type { Machine } from './models/machine.ts'
import type { ChangingSteps } from './models/prepared-model.ts'
import type { Clock } from './ops/clock.ts'
import type { Logger } from './ops/logger.ts'
import type { Prometheus } from './ops/prometheus.ts'
import type { OpenFunctionLane } from './pipeline/function-lanes.ts'
import type { PipelineMetrics } from './pipeline/pipeline-metrics.ts'
import type { FailureListener } from './pipeline/stage.ts'
import type { ModelFiles } from './refresh/slot-loader.ts'
import type { RunSettings } from './run-settings.ts'

/** Everything that a running topology is given from outside. */
export interface RunParts {
  readonly port: KafkaPort
  readonly executor: Executor
  readonly registry: SchemaRegistryPort | undefined
  /** Usually `readSchemaFile`. */
  readonly readSchema: ReadSchema
  readonly settings: RunSettings
  readonly clock: Clock
  readonly random: () => number
  readonly logger: Logger
  /** `read`: of the same, for what the instance tells of itself; without, it tells nothing of them. */
  readonly metrics: PipelineMetrics & Partial<Pick<Prometheus, 'read'>>
  /** What resource hints are held against; undefined: they are not looked at, as in tests. */
  readonly machine?: Machine
  /** Where functions of steps with `functions: 'worker'` run; default: a worker thread for each step. */
  readonly openFunctionLane?: OpenFunctionLane
  /** Told what the main thread does now, per block and per batch: the last words of a process that hangs (stall watch). */
  readonly note?: (what: string) => void
  /** Where published models come from; needed where a step has `modelMetadata: true`. */
  readonly modelFiles?: ModelFiles
  /** What this instance is called in the status topic; no two that run at one time may have the same. Default: a random name. */
  readonly instanceId?: string
  /** Told once the models are loaded, before the group is joined: what can be changed while the topology runs. */
  readonly onModelsOpened?: (steps: ChangingSteps) => void
  /** Told of every failure while it is noted, with what the failing function or model received; for tests. */
  readonly onFailure?: FailureListener
}
