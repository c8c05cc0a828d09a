import type { PipelineMetrics } from './pipeline-metrics.ts'

const ignore = () => {}

/** Counts nothing; for tests and benchmarks that want the pipeline alone. */
export const nullMetrics: PipelineMetrics = {
  stepOpened: ignore,
  modelNamed: ignore,
  modelRevision: ignore,
  modelRefreshFailed: ignore,
  blockReceived: ignore,
  childrenMade: ignore,
  slowFunction: ignore,
  batchDispatched: ignore,
  batchEnded: ignore,
  batchSucceeded: ignore,
  batchFailed: ignore,
  batchAdaptive: ignore,
  batchCeiling: ignore,
  modelLoaded: ignore,
  modelEvicted: ignore,
  modelsResident: ignore,
  modelSwapEnded: ignore,
  watchModels: ignore,
  deadLetters: ignore,
  dropped: ignore,
  timestampsClamped: ignore,
  unitAcknowledged: ignore,
  committed: ignore,
  transactionBegan: ignore,
  transactionEnded: ignore,
  inFlight: ignore,
  lag: ignore,
  breakerState: ignore,
  halted: ignore,
  retried: ignore,
  lost: ignore,
  forgetPartition: ignore,
}
