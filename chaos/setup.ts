/** What a run stands on: three brokers and a registry on this machine, the topics, and this process's own connection. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { type Cluster, startCluster } from '../src/cluster/cluster.ts'
import { readRunFile } from '../src/cluster/run-file.ts'
import type { KafkaPort } from '../src/kafka/port.ts'
import { createKafkaPort } from '../src/kafkajs/kafka-port.ts'
import { systemClock } from '../src/ops/clock.ts'
import { silentLogger } from '../src/ops/logger.ts'
import { writeScorer } from './scorer.ts'
import { until } from './until.ts'

export const BROKERS = 3
export const PARTITIONS = 4

export interface SetupOptions {
  /** Where the instances run from: a checkout of this project. */
  readonly root: string
  /** For what is written on the way. */
  readonly folder: string
  readonly signal: AbortSignal
  readonly resources: AsyncDisposableStack
  readonly say: (text: string) => void
}

export interface Setup {
  readonly cluster: Cluster
  readonly port: KafkaPort
  readonly registryUrl: string
  /** What `kri` is told of a topology of this name, beside its settings. */
  topologyArgs(name: string): readonly string[]
  /** Creates the topics of a topology of this name. */
  applyTopics(name: string): Promise<void>
  /** Ends a broker by SIGKILL, or by SIGTERM, after which it hands its leaderships over; resolves when it has ended. */
  endBroker(index: number, signal: 'SIGKILL' | 'SIGTERM'): Promise<void>
}

/** How long a broker takes to hand over what it leads. */
const BROKER_END_MS = 60_000
const APPLY_MS = 60_000

export async function setUp({ root, folder, signal, resources, say }: SetupOptions): Promise<Setup> {
  const cluster = await startCluster({
    brokers: BROKERS,
    registry: true,
    own: true,
    // That a broker ends here is nothing to warn of.
    logger: silentLogger,
    onProgress: ({ text }) => say(text),
  })
  resources.defer(() => cluster.stop())
  signal.throwIfAborted()
  const port = createKafkaPort({
    ...{ brokers: cluster.brokers, clientId: 'kri-chaos', logger: silentLogger },
    ...{ clock: systemClock, random: Math.random },
  })
  resources.defer(() => port.close())
  const model = join(folder, 'scorer.onnx')
  writeScorer(model)
  const registryUrl = cluster.registryUrl!
  const connection = ['--brokers', cluster.brokers.join(), '--registry-url', registryUrl]
  const topologyArgs = (name: string) => ['--param', `name=${name}`, '--param', `model=${model}`, ...connection]
  return {
    cluster,
    port,
    registryUrl,
    topologyArgs,
    async applyTopics(name) {
      const replication = ['--replication-factor', String(BROKERS), '--min-isr', String(BROKERS - 1)]
      const wanted = ['--partitions', String(PARTITIONS), ...replication, '--schemas']
      const apply = async () => {
        const args = ['topics', 'apply', 'topology.ts', ...topologyArgs(name), ...wanted]
        await kri(root, args, { env: { ...process.env, NODE_COMPILE_CACHE: compileCache(folder) }, signal })
        return true
      }
      // The first requests to a registry that has just come up can take longer than they may; it is safe to repeat.
      await until('the topics are there', apply, { signal, deadlineMs: APPLY_MS })
    },
    async endBroker(index, how) {
      const folder = cluster.local?.backend === 'jvm' ? cluster.local.folder : undefined
      // Of a container only the hard end can be had.
      if (how === 'SIGKILL' || folder === undefined) return cluster.killBroker(index)
      const pid = () => readRunFile(folder)?.services.find(({ name }) => name === `broker-${index + 1}`)?.pid
      process.kill(pid()!, how)
      const gone = () => pid() === undefined
      await until(`broker ${index + 1} has ended`, gone, { signal, deadlineMs: BROKER_END_MS })
    },
  }
}

/** Where what is compiled is kept for the next start: where whoever started this keeps it, if they do. */
export function compileCache(folder: string): string {
  return process.env.NODE_COMPILE_CACHE ?? join(folder, 'compiled')
}

async function kri(
  root: string,
  args: readonly string[],
  options: { readonly env: NodeJS.ProcessEnv; readonly signal: AbortSignal },
): Promise<void> {
  const child = spawn(process.execPath, ['--conditions=kri-source', join(root, 'src/cli/main.ts'), ...args], {
    cwd: join(root, 'chaos'),
    stdio: ['ignore', 'ignore', 'pipe'],
    ...options,
  })
  let log = ''
  child.stderr!.setEncoding('utf8').on('data', text => {
    log += text
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`kri ${args.slice(0, 2).join(' ')} ended with exit code ${code}:\n${log}`)
}
