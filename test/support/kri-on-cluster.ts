import { after, before } from 'node:test'
import type { KafkaPort } from '../../src/kafka/port.ts'
import { createKafkaPort } from '../../src/kafkajs/kafka-port.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { type KriProcess, startKri } from './kri-process.ts'

export interface KriOnCluster {
  /** The suite's own connection. */
  readonly port: KafkaPort
  /** Starts a command on these brokers; what still runs at the end of the suite is ended. */
  kri(...args: readonly string[]): KriProcess
}

/** For a suite of tests with `kri` as processes of their own; call it inside `describe`. */
export function kriOnCluster(clientId: string, brokers: readonly string[]): KriOnCluster {
  let port: KafkaPort
  const started: KriProcess[] = []
  before(() => {
    port = createKafkaPort({ brokers, clientId, logger: silentLogger, clock: systemClock, random: Math.random })
  })
  after(async () => {
    for (const { child } of started) child.kill('SIGKILL')
    await port.close()
  })
  return {
    get port() {
      return port
    },
    kri(...args) {
      const process = startKri([...args, '--brokers', brokers.join()])
      started.push(process)
      return process
    },
  }
}
