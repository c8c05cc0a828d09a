import { handlerAt } from '../../src/handler-place.ts'
import type { KafkaPort } from '../../src/kafka/port.ts'
import type { FindHandler } from '../../src/models/custom-session.ts'
import { createInThreadExecutor } from '../../src/models/in-thread-executor.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { nullMetrics } from '../../src/pipeline/null-metrics.ts'
import type { PipelineMetrics } from '../../src/pipeline/pipeline-metrics.ts'
import { type RunningTopology, startTopology } from '../../src/run.ts'
import { DEFAULT_RUN_SETTINGS, type RunSettings } from '../../src/run-settings.ts'
import { driverModels } from '../../src/testing/driver-models.ts'
import { createFaultyExecutor, type FaultyExecutor, type RowPredicate } from '../../src/testing/faulty-executor.ts'
import {
  createTopologyDriver,
  type DriverOptions,
  type InputRecord,
  type TopologyDriver,
} from '../../src/testing/index.ts'
import type { Topology } from '../../src/topology.ts'

/** Starts a topology on a driver, lets the test look at it, and stops it whatever happens. */
export async function onDriver(
  topology: Topology,
  body: (driver: TopologyDriver) => Promise<void>,
  options: DriverOptions = {},
): Promise<void> {
  const driver = await createTopologyDriver(topology, options)
  try {
    await body(driver)
  } finally {
    await driver.stop().catch(() => {})
  }
}

/** The same with lanes that fail on purpose. */
export async function onFaultyDriver(
  topology: Topology,
  body: (driver: TopologyDriver, executor: FaultyExecutor) => Promise<void>,
  options: DriverOptions = {},
): Promise<void> {
  let faulty: FaultyExecutor | undefined
  // The clock comes with the driver, which asks for the executor first; faults only measure with it.
  const clock = { now: () => 0, wallTime: () => 0, after: () => () => {} }
  const wrapExecutor: NonNullable<DriverOptions['wrapExecutor']> = inner => {
    faulty = createFaultyExecutor(inner, { clock })
    return faulty
  }
  await onDriver(topology, driver => body(driver, faulty!), { ...options, wrapExecutor })
}

/** Writes records and lets a second pass. */
export async function feed(driver: TopologyDriver, records: readonly InputRecord[], topic = 'in'): Promise<void> {
  await driver.pipe(topic, records)
  await driver.advance(1_000)
}

/**
 * Another instance of the topology in the same group, on the broker and the clock of the driver. `isBad`: see `failRowsWhere`.
 * With a `port` of its own a test can cut it off.
 */
export async function secondInstance(
  driver: TopologyDriver,
  topology: Topology,
  settings: Partial<RunSettings> = {},
  isBad?: RowPredicate,
  also: { readonly port?: KafkaPort; readonly metrics?: PipelineMetrics } = {},
): Promise<RunningTopology> {
  const { clock, broker, registry } = driver
  const find: FindHandler = place => handlerAt(topology, place)
  const inThread = createInThreadExecutor({ lanes: 1, maxBatchRows: 256 }, { logger: silentLogger, clock, find })
  const executor = createFaultyExecutor(inThread, { clock })
  executor.failRowsWhere(isBad)
  const running = startTopology(topology, {
    port: also.port ?? broker.connect(),
    executor,
    registry,
    readSchema: async () => '',
    settings: { ...DEFAULT_RUN_SETTINGS, ...settings },
    clock,
    random: () => 0.5,
    logger: silentLogger,
    metrics: also.metrics ?? nullMetrics,
    modelFiles: driverModels,
    instanceId: 'second',
  })
  await passed(driver, running.whenReady())
  return running
}

/** Lets time pass until the promise is settled. */
export async function passed<T>(driver: TopologyDriver, work: Promise<T>): Promise<T> {
  let done = false
  const mark = () => {
    done = true
  }
  work.then(mark, mark)
  for (let step = 0; !done && step < 10_000; step++) await driver.advance(50)
  return work
}
