/**
 * The cluster that a test file runs on: the one that the runner (scripts/test.ts) started for all files, else one of its
 * own when the file is run directly; it ends with the process. Where none can be had, `skip` says why:
 *
 *   const cluster = await testCluster()
 *   describe('reading from a real broker', { skip: cluster.skip }, () => { … })
 */
import { randomBytes } from 'node:crypto'
import { basename } from 'node:path'
import type { BrokerProperties } from '../../src/cluster/broker.ts'
import { type Cluster, startCluster } from '../../src/cluster/cluster.ts'
import { RunInferenceError } from '../../src/errors.ts'
import { createLogger } from '../../src/ops/logger.ts'

/** Set by the runner: the shared cluster as JSON, or why there is none. */
export const SHARED_CLUSTER = 'KRI_TEST_CLUSTER'
export type SharedCluster =
  | { readonly brokers: readonly string[]; readonly registryUrl: string }
  | { readonly reason: string }

export interface TestCluster {
  readonly skip: string | false
  /** Empty when skipped. */
  readonly brokers: readonly string[]
  readonly registryUrl: string
  /** What every topic, subject and group of this file begins with; unique per run, so that files never meet. */
  readonly prefix: string
}

const logger = createLogger('warn')

/** One broker and a registry, shared between files: to be read and written, not killed. */
export async function testCluster(): Promise<TestCluster> {
  const file = basename(process.argv[1] ?? 'test').replace(/(\.serial)?\.test\.ts$/, '')
  const prefix = `${file}-${randomBytes(3).toString('hex')}.`
  const shared = await sharedOrOwn()
  if ('reason' in shared) return { skip: shared.reason, brokers: [], registryUrl: '', prefix }
  return { ...shared, skip: false, prefix }
}

/** A cluster of this file alone, whose brokers may be killed. Stop it in `after`. */
export async function ownCluster(options: {
  readonly brokers: 1 | 3
  readonly registry?: boolean
  readonly brokerProperties?: BrokerProperties
}): Promise<Cluster & { readonly skip: string | false }> {
  try {
    const cluster = await startCluster({
      brokers: options.brokers,
      registry: options.registry ?? false,
      ...(options.brokerProperties ? { brokerProperties: options.brokerProperties } : {}),
      logger,
      own: true,
    })
    return { ...cluster, skip: false }
  } catch (error) {
    const reason = reasonOf(error)
    return { ...noCluster(reason), skip: reason }
  }
}

async function sharedOrOwn(): Promise<SharedCluster> {
  const given = process.env[SHARED_CLUSTER]
  if (given !== undefined) return JSON.parse(given) as SharedCluster
  try {
    const cluster = await startCluster({ brokers: 1, registry: true, logger })
    return { brokers: cluster.brokers, registryUrl: cluster.registryUrl! }
  } catch (error) {
    return { reason: reasonOf(error) }
  }
}

/** Only the lack of a cluster is a reason to skip; anything else is a failure. */
function reasonOf(error: unknown): string {
  if (error instanceof RunInferenceError && error.code === 'CLUSTER_UNAVAILABLE') return error.message
  throw error
}

function noCluster(reason: string): Cluster {
  const refuse = () => Promise.reject(new RunInferenceError('CLUSTER_UNAVAILABLE', reason))
  return {
    brokers: [],
    registryUrl: undefined,
    local: undefined,
    killBroker: refuse,
    startBroker: refuse,
    pauseBroker: refuse,
    resumeBroker: refuse,
    killRegistry: refuse,
    startRegistry: refuse,
    release: refuse,
    stop: async () => {},
  }
}
