// A canary on a real broker, from its publication to its promotion, and one that gives itself up.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { modelMetadataTopic } from '../../src/kafka/topic-names.ts'
import { readMetadata } from '../../src/refresh/metadata-log.ts'
import { Split } from '../../src/refresh/split.ts'
import { testCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { followedApp } from '../support/followed-app.ts'
import type { KriProcess } from '../support/kri-process.ts'
import { sealedBatch } from '../support/record-batches.ts'

const PATIENCE_MS = 60_000
const PARTITIONS = 3
const KEYS = 100
const cluster = await testCluster()

interface Sum {
  readonly key: string
  readonly n: number
  readonly by: string
}

describe('a canary', { skip: cluster.skip, timeout: 240_000 }, () => {
  const app = followedApp(cluster, '1000', PARTITIONS, 'test/support/canary-topology.ts')
  const { id, input, module, flags, processes, models } = app
  const run = () => processes.kri('run', module, ...flags, '--http-port', '0', '--session-timeout-ms', '6000')
  let written = 0

  /** Numbers 0, 1, 2, …, each under the key of its hundred. */
  async function write(count: number): Promise<void> {
    const writer = processes.port.writer()
    const numbers = Array.from({ length: count }, (_, i) => written + i)
    const batches = Array.from({ length: PARTITIONS }, (_, partition) => {
      const records = numbers
        .filter(n => (n % KEYS) % PARTITIONS === partition)
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
  }

  /** Everything that is in the output; each sum is what the model that it names gives for a number that was written. */
  async function sums(): Promise<readonly Sum[]> {
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
        found.push({ key, n, by })
      }
    }
    return found
  }

  /** Those of the numbers from `first` on, when they are all there. */
  async function sumsFrom(first: number, expected = written - first): Promise<readonly Sum[]> {
    let found: readonly Sum[] = []
    const areThere = async () => {
      found = (await sums()).filter(({ n }) => n >= first)
      return new Set(found.map(({ n }) => n)).size >= expected
    }
    await eventually(`${expected} sums`, areThere, PATIENCE_MS)
    return found
  }

  const published = async () => {
    const { slots } = await readMetadata(processes.port, modelMetadataTopic(id))
    return slots.get('add')!.state
  }
  const done = async (command: string, ...args: readonly string[]) => {
    const { code, stdout, stderr } = await models(command, ...args)
    assert.equal(code, 0, stdout + stderr)
    return stdout
  }
  const loads = async (instances: readonly KriProcess[]) => {
    const texts = await Promise.all(instances.map(instance => instance.text('/metrics')))
    return texts.map(text => text.split('\n').filter(line => line.startsWith('kri_model_loads_total')))
  }
  const end = async (instance: KriProcess) => {
    instance.child.kill('SIGTERM')
    assert.equal(await instance.ended, 0, instance.log())
  }

  it('has exactly its share of the keys, also after a crash; is promoted without a load; a bad one gives itself up', async () => {
    const [first, second] = [run(), run()]
    for (const instance of [first, second]) await instance.whenReady(PATIENCE_MS)
    await done('publish', '2000', '--canary', '10', '--wait', '60')
    const { candidate } = await published()
    const split = new Split(candidate!)
    const isChosen = (key: string) => split.hasKey(Buffer.from(key), 0, key.length)
    const assertShare = (all: readonly Sum[]) => {
      for (const { key, by } of all) assert.equal(by, isChosen(key) ? '2000' : '1000', key)
      assert.deepEqual([...new Set(all.map(({ by }) => by))].sort(), ['1000', '2000'])
    }
    await write(600)
    assertShare(await sumsFrom(0))

    await write(600)
    first.child.kill('SIGKILL')
    await write(600)
    const third = run()
    await third.whenReady(PATIENCE_MS)
    assertShare(await sumsFrom(0))

    const instances = [second, third]
    const loadsBefore = await loads(instances)
    await done('promote', '--wait', '60')
    const promotedAt = written
    await write(300)
    assert.deepEqual(new Set((await sumsFrom(promotedAt)).map(({ by }) => by)), new Set(['2000']))
    assert.deepEqual(await loads(instances), loadsBefore)

    await done(
      'publish',
      'picky-3000',
      '--canary',
      '50',
      '--abort-if',
      'failures=2,latency=1000,records=20',
      '--wait',
      '60',
    )
    await write(600)
    await eventually('it is given up', async () => (await published()).candidate === undefined, PATIENCE_MS)
    const { reason, stable } = await published()
    assert.equal(stable.modelId, '2000')
    assert.match(reason!, /failed on the candidate, and 0 of .* on the stable model/)
    assert.match(await done('ls'), /trial given up, "2000" stays/)
    const hasNone = async () => {
      const { slots } = JSON.parse((await models('status', '--json')).stdout)
      const told = slots[0].instances as { status: { candidate?: unknown; revision: number } }[]
      return told.length === 2 && told.every(({ status }) => status.revision === 4 && status.candidate === undefined)
    }
    await eventually('both instances have ended it', hasNone, PATIENCE_MS)
    const givenUpAt = written
    await write(300)
    assert.deepEqual(new Set((await sumsFrom(givenUpAt)).map(({ by }) => by)), new Set(['2000']))
    for (const instance of instances) await end(instance)
  })
})
