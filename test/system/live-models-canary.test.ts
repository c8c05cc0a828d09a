// A canary on a real broker, from its publication to its promotion, and one that gives itself up.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { assertSplit, canaryApp, type Sum } from '../support/canary-app.ts'
import { testCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import type { KriProcess } from '../support/kri-process.ts'

const PATIENCE_MS = 60_000
const cluster = await testCluster()

describe('a canary', { skip: cluster.skip, timeout: 240_000 }, () => {
  const app = canaryApp(cluster, '1000')
  const { done, end, models, published, run, sums, write } = app

  /** Those of the numbers from `first` on, when they are all there. */
  async function sumsFrom(first: number): Promise<readonly Sum[]> {
    const expected = app.written - first
    let found: readonly Sum[] = []
    const areThere = async () => {
      found = (await sums()).filter(({ n }) => n >= first)
      return new Set(found.map(({ n }) => n)).size >= expected
    }
    await eventually(`${expected} sums`, areThere, PATIENCE_MS)
    return found
  }

  const loads = async (instances: readonly KriProcess[]) => {
    const texts = await Promise.all(instances.map(instance => instance.text('/metrics')))
    return texts.map(text => text.split('\n').filter(line => line.startsWith('kri_model_loads_total')))
  }

  it('has exactly its share of the keys, also after a crash; is promoted without a load; a bad one gives itself up', async () => {
    const [first, second] = [run(), run()]
    for (const instance of [first, second]) await instance.whenReady(PATIENCE_MS)
    await done('publish', '2000', '--canary', '10', '--wait', '60')
    const { candidate } = await published()
    await write(600)
    assertSplit(await sumsFrom(0), candidate!, '1000')

    await write(600)
    first.child.kill('SIGKILL')
    await write(600)
    const third = run()
    await third.whenReady(PATIENCE_MS)
    assertSplit(await sumsFrom(0), candidate!, '1000')

    const instances = [second, third]
    const loadsBefore = await loads(instances)
    await done('promote', '--wait', '60')
    const promotedAt = app.written
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
    const givenUpAt = app.written
    await write(300)
    assert.deepEqual(new Set((await sumsFrom(givenUpAt)).map(({ by }) => by)), new Set(['2000']))
    for (const instance of instances) await end(instance)
  })
})
