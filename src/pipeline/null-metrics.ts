import type { PipelineMetrics } from './pipeline-metrics.ts'

const ignore = () => {}

/** Counts nothing; for tests and benchmarks that want the pipeline alone. */
export const nullMetrics: PipelineMetrics = {
  blockReceived: ignore,
  batchDispatched: ignore,
  batchSucceeded: ignore,
  batchFailed: ignore,
  batchAdaptive: ignore,
  batchCeiling: ignore,
  modelLoaded: ignore,
  watchModels: ignore,
  deadLetters: ignore,
  dropped: ignore,
  timestampsClamped: ignore,
  unitAcknowledged: ignore,
  committed: ignore,
  inFlight: ignore,
  lag: ignore,
  breakerState: ignore,
  retried: ignore,
  lost: ignore,
  forgetPartition: ignore,
}
