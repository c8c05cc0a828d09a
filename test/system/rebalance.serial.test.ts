// One application lives through what happens in a year of operation, on a real broker under load: instances join, leave, are
// restarted, stopped in their tracks, killed. Each test goes on where the one before has ended.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { testCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { type App, type Instance, openApp, settled, uncommittedOf } from '../support/instances.ts'
import { judgeKeyed, KeyedWriter, type Place } from '../support/keyed-records.ts'
import { kriOnCluster } from '../support/kri-on-cluster.ts'

/** By one, two and three instances all can have the same number. */
const PARTITIONS = 6
const LOAD_PER_SECOND = 3_000
/** Enough that instances are in the middle of it when something happens to them. */
const BACKLOG_PER_PARTITION = 12_000

const { brokers, prefix, skip } = await testCluster()

describe('rebalances under load, at least once', { skip }, () => {
  const cluster = kriOnCluster('rebalance', brokers)
  /** What may come twice, by what has happened so far. */
  const repeatable: Place[] = []
  const none = { lost: 0, disordered: 0, wrong: 0 }
  let app: App
  let writer: KeyedWriter
  let instances: Instance[]
  before(async () => {
    app = await openApp(cluster, `${prefix}app`, { partitions: PARTITIONS })
    writer = new KeyedWriter(cluster.port, { topic: app.input, partitions: PARTITIONS })
  })
  after(() => writer.close())

  const working = async () => {
    const from = await app.written()
    await eventually('outputs of all partitions come', async () =>
      (await app.written()).every((end, partition) => end > from[partition]! + 20),
    )
  }
  const judge = (ends?: readonly number[]) => judgeKeyed(cluster.port, writer.written, app.output, ends)
  const places = (all: readonly Place[]) => all.map(({ partition, offset }) => `${partition}/${offset}`).sort()
  const moves = () => instances.map(({ moves: { added, lost } }) => [added, lost])

  it('when instances join only what they are to have moves', async () => {
    const endLoad = writer.load(LOAD_PER_SECOND)
    instances = [app.start()]
    await settled(app, instances)
    assert.deepEqual(moves(), [[12, 0]])
    instances.push(app.start())
    await settled(app, instances)
    assert.deepEqual(moves(), [
      [12, 6],
      [6, 0],
    ])
    await working()
    instances.push(app.start())
    await settled(app, instances)
    assert.deepEqual(moves(), [
      [12, 8],
      [6, 2],
      [4, 0],
    ])
    await endLoad()
  })

  it('all are restarted one after the other: only what the one had moves, nothing is lost, nothing comes twice', async () => {
    const endLoad = writer.load(LOAD_PER_SECOND)
    for (let i = 0; i < instances.length; i++) {
      await working()
      const others = instances.toSpliced(i, 1)
      const had = others.map(({ moves: { added } }) => added)
      await instances[i]!.stop()
      instances[i] = app.start()
      await settled(app, instances)
      assert.deepEqual(instances[i]!.moves, { added: 4, lost: 0 })
      const got = others.map(({ moves: { added } }, other) => added - had[other]!)
      assert.ok(
        got.every(added => added <= 2),
        `the others got ${got}`,
      )
    }
    await working()
    await endLoad()
    await app.whenDone()
    assert.deepEqual(await judge(), { ...none, repeated: [] })
  })

  it('two are stopped for longer than their session, and wake up: they write nothing more of what they have lost', async () => {
    const [first, second, heir] = instances as [Instance, Instance, Instance]
    const zombies = [first, second]
    await writer.write(BACKLOG_PER_PARTITION)
    await working()
    const owned = (await Promise.all(zombies.map(zombie => zombie.ownedInputs()))).flat()
    assert.equal(owned.length, 4)
    for (const { child } of zombies) child.kill('SIGSTOP')
    repeatable.push(...(await uncommittedOf(cluster.port, app, owned)))
    await settled(app, [heir])
    await app.whenDone()

    const ends = await app.written()
    const late: number[] = []
    for (const [i, { child }] of zombies.entries()) {
      child.kill('SIGCONT')
      await settled(app, [heir, ...zombies.slice(0, i + 1)])
      const sum = (all: readonly number[]) => all.reduce((total, end) => total + end, 0)
      late.push(sum(await app.written()) - sum(ends))
    }
    for (const zombie of zombies) assert.ok(zombie.expelled > 0, zombie.log())
    // One may have been stopped between its last look at the clock and its write; two at once were not.
    assert.equal(Math.min(late[0]!, late[1]! - late[0]!), 0, `written after it woke up: ${late}`)
    const { repeated, ...rest } = await judge(ends)
    assert.deepEqual(rest, none)
    assert.deepEqual(places(repeated), places(repeatable))
  })

  it('one leaves and one is killed: what was uncommitted of the killed comes twice, and nothing else', async () => {
    const [survivor, leaver, victim] = instances as [Instance, Instance, Instance]
    const judged = await judge()
    const endLoad = writer.load(LOAD_PER_SECOND)
    await working()
    await leaver.stop()
    await settled(app, [survivor, victim])
    await working()
    const owned = await victim.ownedInputs()
    assert.equal(owned.length, PARTITIONS / 2)
    await victim.kill()
    const uncommitted = await uncommittedOf(cluster.port, app, owned)
    await settled(app, [survivor])
    await endLoad()
    await app.whenDone()
    await survivor.stop()
    const { repeated, ...rest } = await judge()
    assert.deepEqual(rest, none)
    assert.deepEqual(places(repeated), places([...judged.repeated, ...uncommitted]))
  })
})
