/**
 * The test files that take longest, by folder in about the order in which they do: they begin first, so that none of them runs alone
 * at the end, and those that keep the machine busy stand beside those that mostly wait. `npm test` ends with the ten slowest;
 * a name too few here costs seconds, nothing else.
 */
export const LONG_TEST_FILES: readonly string[] = [
  'test/chaos/exactly-once.serial.test.ts',
  'test/system/faults.serial.test.ts',
  'test/system/outages.serial.test.ts',
  'test/chaos/at-least-once.serial.test.ts',
  'test/security/broker.serial.test.ts',
  'test/package/package.serial.test.ts',
  'test/system/rebalance.serial.test.ts',
  'test/browser/console-demo.serial.test.ts',
  'test/system/rebalance-exactly-once.serial.test.ts',
  'test/image/image.serial.test.ts',
  'test/system/demo.serial.test.ts',
  'test/system/isolation.serial.test.ts',

  'test/system/replay.test.ts',
  'test/system/bad-loads.test.ts',
  'test/contract/kafka-port.kafkajs.test.ts',
  'test/cli/init.test.ts',
  'test/system/live-models.test.ts',
  'test/cli/workers.test.ts',
  'test/system/parts.test.ts',
  'test/cli/run.test.ts',
  'test/system/own-handlers.test.ts',
  'test/system/console.test.ts',
  'test/system/live-models-canary.test.ts',
  'test/system/dead-letters.test.ts',
  'test/system/check.test.ts',
  'test/system/live-models-canary-once.test.ts',
  'test/system/exactly-once.test.ts',
  'test/system/cascade.test.ts',
  'test/webgpu/live-models.test.ts',

  'test/browser/console-access.test.ts',
  'test/models/model-swaps.test.ts',
  'test/contract/executor.process.test.ts',
  'test/webgpu/models.test.ts',
  'test/check/handlers-that-hang.test.ts',
  'test/cli/check.test.ts',
  'test/browser/console-changes.test.ts',
  'test/contract/executor.thread.test.ts',
  'test/models/process-executor.test.ts',
  'test/browser/console-pages.test.ts',
]
