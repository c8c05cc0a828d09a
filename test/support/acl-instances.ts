/** Instances of a topology that follows what is published, and whoever publishes for them, as users of a secured broker. */
import assert from 'node:assert/strict'
import type { KafkaPort } from '../../src/kafka/port.ts'
import { createKafkaPort, type KafkaPortOptions } from '../../src/kafkajs/kafka-port.ts'
import { createInThreadExecutor } from '../../src/models/in-thread-executor.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { type Logger, silentLogger } from '../../src/ops/logger.ts'
import { nullMetrics } from '../../src/pipeline/null-metrics.ts'
import { type RunningTopology, startTopology } from '../../src/run.ts'
import { DEFAULT_RUN_SETTINGS } from '../../src/run-settings.ts'
import type { Topology } from '../../src/topology.ts'
import { importTopology } from '../../src/topology-module.ts'
import { kriInProcess } from './kri-in-process.ts'
import { makeSource } from './model-store.ts'
import type { SecuredCluster } from './secured-cluster.ts'

/** Names of an application, with this id, in the table of docs/security.md. */
export const namesOf = (topology: string, id: string) => ({
  ...{ applicationId: id, topology, step: 'infer', source: `${id}-in`, output: `${id}-out` },
})

/** The module takes `in`, `out`, `model` and `applicationId`. `resources`: what is opened ends with them. */
export function aclInstances(secured: SecuredCluster, module: string, model: string, resources: AsyncDisposableStack) {
  const parametersOf = (id: string) => ({ in: `${id}-in`, out: `${id}-out`, model, applicationId: id })
  const connect = (address: string, options: Pick<KafkaPortOptions, 'sasl'> = {}) =>
    createKafkaPort({
      ...{ brokers: [address], clientId: 'models', logger: silentLogger, clock: systemClock, random: Math.random },
      ...options,
    })
  const as = (user: string): KafkaPort =>
    connect(secured.listeners.login, { sasl: { mechanism: 'plain', username: user, password: user } })
  const topologyOf = async (id: string): Promise<Topology> => (await importTopology(module)).build(parametersOf(id))
  return {
    as,
    /** May do everything. */
    admin: () => connect(secured.listeners.plain),
    topologyOf,

    /** In this process; it ends with the suite. */
    async start(user: string, logger: Logger = silentLogger): Promise<RunningTopology> {
      const port = as(user)
      resources.defer(() => port.close())
      const modelFiles = resources.use(makeSource(['models']))
      const executor = createInThreadExecutor({ lanes: 1, maxBatchRows: 8 }, { logger, clock: systemClock })
      const running = startTopology(await topologyOf(user), {
        ...{ port, executor, modelFiles, registry: undefined, readSchema: assert.fail, metrics: nullMetrics },
        ...{ settings: DEFAULT_RUN_SETTINGS, clock: systemClock, random: Math.random, logger, instanceId: user },
      })
      resources.defer(() => running.stop().catch(() => {})) // Told by whoever waits for its start.
      return running
    },

    /** For the application with this id. */
    publish(user: string, id: string, ...words: readonly string[]) {
      const login = ['--sasl-mechanism', 'plain', '--sasl-username', user, '--sasl-password', user]
      const parameters = Object.entries(parametersOf(id)).flatMap(([name, value]) => ['--param', `${name}=${value}`])
      const connection = ['--brokers', secured.listeners.login, '--log-level', 'error']
      return kriInProcess(['models', 'publish', module, ...words, ...parameters, ...login, ...connection])
    },
  }
}
