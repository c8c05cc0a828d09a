// The test kit: run a topology without Kafka.

export { type BeamDistribution, type BeamMetric, type BeamMetrics, beamMetrics } from './beam-metrics.ts'
export type { DriverFailure } from './driver-failures.ts'
export type { PublishedModels } from './driver-models.ts'
export type { InputRecord, OutputRecord } from './driver-records.ts'

// Its parts, for tests of their own.
export { createManualClock, type ManualClock } from './manual-clock.ts'
export { createMemoryBroker, type MemoryBroker, type MemoryBrokerOptions } from './memory-broker.ts'
export { createMemoryRegistry, type MemoryRegistry } from './memory-registry.ts'
export { createRandom } from './random.ts'
export { createTopologyDriver, type DriverOptions, type TopologyDriver } from './topology-driver.ts'
