// The same under exactly-once: whatever happens to an instance, readers that are read_committed see every output once.
import assert from 'node:assert/strict'
import { after, before, describe, it, type TestContext } from 'node:test'
import { testCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { type App, type Instance, openApp, settled } from '../support/instances.ts'
import { judgeKeyed, KeyedWriter } from '../support/keyed-records.ts'
import { kriOnCluster } from '../support/kri-on-cluster.ts'

const PARTITIONS = 6
const LOAD_PER_SECOND = 3_000

const { brokers, prefix, skip } = await testCluster()

describe('rebalances under load, exactly once', { skip }, () => {
  const cluster = kriOnCluster('rebalance-eo', brokers)
  let app: App
  let writer: KeyedWriter
  let instances: Instance[]
  before(async () => {
    app = await openApp(cluster, `${prefix}app`, {
      partitions: PARTITIONS,
      // One transaction right behind the other, so that most faults meet an open one.
      flags: ['--processing-guarantee', 'exactly_once', '--commit-interval-ms', '5'],
    })
    writer = new KeyedWriter(cluster.port, { topic: app.input, partitions: PARTITIONS })
  })
  after(() => writer.close())

  const working = async () => {
    const from = await app.written()
    await eventually('outputs of all partitions come', async () =>
      (await app.written()).every((end, partition) => end > from[partition]! + 20),
    )
  }
  /** Output partitions in which something is written that readers do not see yet. */
  const openTransactions = async () => {
    const seen = await cluster.port.admin.offsets(app.output)
    const written = await cluster.port.admin.offsets(app.output, 'written')
    return [...seen.keys()].filter(partition => seen[partition]!.end < written[partition]!.end)
  }
  /** Stops them (SIGSTOP), each while one of its transactions is open. */
  const stopInTransactions = async (t: TestContext, some: readonly Instance[]) => {
    t.after(() => {
      for (const { child } of some) child.kill('SIGCONT')
    })
    const endLoad = writer.load(LOAD_PER_SECOND)
    for (const { child, ownedInputs } of some) {
      const owned = await ownedInputs()
      const isOpen = async () => (await openTransactions()).some(partition => owned.includes(partition))
      const ends = () => app.written()
      await eventually(
        'it is stopped with a transaction open',
        async () => {
          child.kill('SIGSTOP')
          // Twice: the end of one may have been on its way.
          if ((await isOpen()) && (await isOpen())) return true
          const before = await ends()
          child.kill('SIGCONT')
          await eventually('it goes on', async () => {
            const now = await ends()
            return owned.some(partition => now[partition]! > before[partition]!)
          })
          return false
        },
        30_000,
      )
    }
    await endLoad()
  }
  const assertOnce = async () => {
    // The offset of a transaction may be seen before its outputs.
    await eventually('nothing is open any more', async () => (await openTransactions()).length === 0, 30_000)
    const judged = await judgeKeyed(cluster.port, writer.written, app.output)
    assert.deepEqual(judged, { lost: 0, repeated: [], disordered: 0, wrong: 0 })
  }

  it('one is restarted: nothing is lost, and nothing comes twice', async () => {
    const endLoad = writer.load(LOAD_PER_SECOND)
    instances = [app.start(), app.start(), app.start()]
    await settled(app, instances)
    await working()
    await instances[0]!.stop()
    instances[0] = app.start()
    await settled(app, instances)
    await working()
    await endLoad()
    await app.whenDone()
    await assertOnce()
  })

  it('two are stopped in transactions for longer than their session, and wake up: nothing of them is seen', async t => {
    const [first, second, heir] = instances as [Instance, Instance, Instance]
    await stopInTransactions(t, [first, second])
    await settled(app, [heir])
    await app.whenDone()
    for (const { child } of [first, second]) child.kill('SIGCONT')
    await settled(app, instances)
    for (const zombie of [first, second]) assert.ok(zombie.expelled > 0, zombie.log())
    const endLoad = writer.load(LOAD_PER_SECOND)
    await working()
    await endLoad()
    await app.whenDone()
    await assertOnce()
  })

  it('two are killed in transactions: what they had open is never seen, and comes once', async t => {
    const [first, second, survivor] = instances as [Instance, Instance, Instance]
    await stopInTransactions(t, [first, second])
    await Promise.all([first.kill(), second.kill()])
    await settled(app, [survivor])
    await app.whenDone()
    await survivor.stop()
    await assertOnce()
  })
})
