/** `canary-topology.ts` on the cluster of a suite: numbers in, and sums that say which model made them. */
import assert from 'node:assert/strict'
import { modelMetadataTopic } from '../../src/kafka/topic-names.ts'
import { readMetadata } from '../../src/refresh/metadata-log.ts'
import { Split } from '../../src/refresh/split.ts'
import type { Candidate, StepModels } from '../../src/refresh/step-models.ts'
import type { TestCluster } from './cluster.ts'
import { followedApp } from './followed-app.ts'
import type { KriProcess } from './kri-process.ts'
import { sealedBatch } from './record-batches.ts'

export const KEYS = 100
const PARTITIONS = 3

export interface Sum {
  readonly partition: number
  readonly key: string
  readonly n: number
  readonly by: string
}

/** Call it inside `describe`. `model`: what is added while nothing is published. */
export function canaryApp(cluster: TestCluster, model: string) {
  const app = followedApp(cluster, model, PARTITIONS, 'test/support/canary-topology.ts')
  const { id, input, module, flags, processes, models } = app
  let written = 0
  return {
    ...app,
    run: (...own: readonly string[]) =>
      processes.kri('run', module, ...flags, '--http-port', '0', '--session-timeout-ms', '6000', ...own),

    /** How many numbers there are in the input. */
    get written() {
      return written
    },

    /** The next numbers: 0, 1, 2, …, each under the key of its hundred. */
    async write(count: number): Promise<void> {
      const writer = processes.port.writer()
      const numbers = Array.from({ length: count }, (_, i) => written + i)
      const batches = Array.from({ length: PARTITIONS }, (_, partition) => {
        const records = numbers
          .filter(n => partitionOf(n) === partition)
          .map(n => ({
            ...{ timestamp: Date.now(), headers: [] },
            key: Buffer.from(`key-${n % KEYS}`),
            value: Buffer.from(String(n)),
          }))
        return sealedBatch(records, input, partition)
      })
      for (const { outcome } of await writer.send(batches)) assert.equal(outcome, 'acknowledged')
      await writer.close()
      written += count
    },

    /** Everything that is in the output; each sum is what the model that it names gives for a number that was written. */
    async sums(): Promise<readonly Sum[]> {
      const found: Sum[] = []
      const sources = Array.from({ length: PARTITIONS }, (_, partition) => {
        return { topic: `${id}.out`, partition, from: 'earliest', to: 'end' } as const
      })
      for await (const block of processes.port.scan(sources)) {
        for (let row = 0; row < block.count; row++) {
          const key = block.bytes.toString('utf8', block.keyStart(row), block.keyEnd(row))
          const [sum, by] = (JSON.parse(String(block.value(row))) as string).split(' by ') as [string, string]
          const n = Number(sum) - Number(by.replace('picky-', ''))
          assert.ok(n >= 0 && n < written, `${key}: ${sum} is not what ${by} gives`)
          assert.equal(key, `key-${n % KEYS}`)
          found.push({ partition: block.partition, key, n, by })
        }
      }
      return found
    },

    /** What is published. */
    async published(): Promise<StepModels> {
      const { slots } = await readMetadata(processes.port, modelMetadataTopic(id))
      return slots.get('add')!.state!
    },

    /** A command that succeeds; what it prints. */
    async done(command: string, ...args: readonly string[]): Promise<string> {
      const { code, stdout, stderr } = await models(command, ...args)
      assert.equal(code, 0, stdout + stderr)
      return stdout
    },

    async end(instance: KriProcess): Promise<void> {
      instance.child.kill('SIGTERM')
      assert.equal(await instance.ended, 0, instance.log())
    },
  }
}

/** Where numbers are written, and so their sums. */
export const partitionOf = (n: number): number => (n % KEYS) % PARTITIONS

/** Asserts that each sum is by the model that the split has for its key, and that there are some of both. */
export function assertSplit(sums: readonly Sum[], candidate: Candidate, stable: string): void {
  const split = new Split(candidate)
  const { modelId } = candidate.model
  for (const { key, by } of sums)
    assert.equal(by, split.hasKey(Buffer.from(key), 0, key.length) ? modelId : stable, key)
  assert.deepEqual([...new Set(sums.map(({ by }) => by))].sort(), [modelId, stable].sort())
}
