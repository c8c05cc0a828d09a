/** An application whose step follows what is published, and the commands for it, on the cluster of a suite. */
import assert from 'node:assert/strict'
import { before } from 'node:test'
import type { TestCluster } from './cluster.ts'
import { kriInProcess } from './kri-in-process.ts'
import { type KriOnCluster, kriOnCluster } from './kri-on-cluster.ts'
import type { KriOutput } from './kri-output.ts'

export interface FollowedApp {
  readonly id: string
  readonly input: string
  readonly module: string
  /** Behind the module. */
  readonly flags: readonly string[]
  readonly processes: KriOnCluster
  /** A command in this process. */
  models(command: string, ...args: readonly string[]): Promise<KriOutput>
  /** What it prints with `--json`. */
  json(command: string, ...args: readonly string[]): Promise<PrintedJson>
  /** What it says on standard error when it fails. */
  refusal(command: string, ...args: readonly string[]): Promise<string>
}

// biome-ignore lint/suspicious/noExplicitAny: a test asserts what it finds.
type PrintedJson = any

/** Call it inside `describe`. `model`: what serves while nothing is published. `module`: another topology with the same parameters. */
export function followedApp(
  cluster: TestCluster,
  model: string,
  partitions = 1,
  module = 'test/support/followed-topology.ts',
): FollowedApp {
  const id = `${cluster.prefix}app`
  const input = `${id}.in`
  const parameters = { in: input, out: `${id}.out`, model, applicationId: id }
  const flags = Object.entries(parameters).flatMap(([name, value]) => ['--param', `${name}=${value}`])
  const processes = kriOnCluster('models-test', cluster.brokers)
  const models = (command: string, ...args: readonly string[]) => {
    const connection = ['--brokers', cluster.brokers.join(), '--log-level', 'error']
    return kriInProcess(['models', command, module, ...flags, ...args, ...connection])
  }
  before(async () => {
    const apply = processes.kri('topics', 'apply', module, ...flags, '--partitions', String(partitions))
    assert.equal(await apply.ended, 0, apply.log())
  })
  return {
    ...{ id, input, module, flags, processes, models },
    async json(command, ...args) {
      const { code, stdout, stderr } = await models(command, ...args, '--json')
      assert.equal(code, 0, stdout + stderr)
      return JSON.parse(stdout)
    },
    async refusal(command, ...args) {
      const { code, stderr } = await models(command, ...args)
      assert.equal(code, 1, stderr)
      return stderr
    },
  }
}
