// A canary under exactly_once on a real broker: what readers see holds every sum once and in order, whatever the trial and its
// instances went through meanwhile.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setInterval } from 'node:timers/promises'
import { assertSplit, canaryApp, partitionOf, type Sum } from '../support/canary-app.ts'
import { testCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'

const PATIENCE_MS = 60_000
const cluster = await testCluster()

describe('a canary under exactly_once', { skip: cluster.skip, timeout: 240_000 }, () => {
  const app = canaryApp(cluster, '1000')
  const { done, end, id, input, processes, published, sums, write } = app
  const run = () => app.run('--processing-guarantee', 'exactly_once')

  /** All that was written is committed: each sum once, in the order of its partition. */
  async function judged(): Promise<readonly Sum[]> {
    const isCommitted = async () => {
      const committed = await processes.port.admin.committed(id, input)
      return (await processes.port.admin.offsets(input)).every(({ end }, partition) => committed[partition] === end)
    }
    await eventually('all is committed', isCommitted, PATIENCE_MS)
    const found = await sums()
    const expected = Array.from({ length: app.written }, (_, n) => n).sort((a, b) => partitionOf(a) - partitionOf(b))
    assert.deepEqual(
      found.toSorted((a, b) => a.partition - b.partition).map(({ n }) => n),
      expected,
      'nothing lost, nothing twice, all in order',
    )
    return found
  }

  it('has its share of the keys, beside an instance that is killed; nothing comes twice, nor when it is promoted or aborted under load', async () => {
    const [first, second] = [run(), run()]
    for (const instance of [first, second]) await instance.whenReady(PATIENCE_MS)
    await done('publish', '2000', '--canary', '30', '--wait', '60')
    const { candidate } = await published()
    await write(600)
    assertSplit(await judged(), candidate!, '1000')

    const isOpen = async () => /^kri_transactions_open\{.*\} [1-9]/m.test(await first.text('/metrics'))
    // What it has may be through before it is seen at it.
    for (let round = 0, seen = false; round < 20 && !seen; round++) {
      await write(3_000)
      for (let look = 0; look < 10 && !seen; look++) seen = await isOpen()
    }
    first.child.kill('SIGKILL')
    await write(600)
    assertSplit(await judged(), candidate!, '1000')

    const over = new AbortController()
    const load = (async () => {
      for await (const _ of setInterval(50)) {
        if (over.signal.aborted) break
        await write(30)
      }
    })()
    const promotedFrom = app.written
    await done('promote', '--wait', '60')
    const promotedBy = app.written
    await done('publish', '3000', '--canary', '50', '--wait', '60')
    await eventually('it has some', async () => (await sums()).some(({ by }) => by === '3000'), PATIENCE_MS)
    await done('abort')
    over.abort()
    await load
    const all = await judged()
    assertSplit(
      all.filter(({ n }) => n < promotedFrom),
      candidate!,
      '1000',
    )
    const models = new Set(all.filter(({ n }) => n >= promotedBy).map(({ by }) => by))
    assert.deepEqual([...models].sort(), ['2000', '3000'])
    await end(second)
  })
})
