import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ConsoleSnapshot } from '../../src/console/console-api.ts'
import { applyTopics } from '../support/apply-topics.ts'
import { testCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { kriOnCluster } from '../support/kri-on-cluster.ts'
import type { KriProcess } from '../support/kri-process.ts'
import { judgeRows, writeRows } from '../support/raw-rows.ts'

const { brokers, prefix, skip } = await testCluster()
const PARTITIONS = 4
/** Enough that workers are in the midst of it when something happens to them, and what suffices where nothing does. */
const [BACKLOG, FEW] = [40_000, 4_000]

describe('kri run --workers 2', { skip }, () => {
  const cluster = kriOnCluster('workers', brokers)
  const { kri } = cluster
  const rows = (name: string, model = 'models/digits-mlp-v1.onnx') => {
    const parameters = { in: `${prefix}${name}.in`, out: `${prefix}${name}.out`, applicationId: `${prefix}${name}` }
    const all = Object.entries({ ...parameters, model, width: 64 })
    return ['topologies/raw-tensors.ts', ...all.map(([key, value]) => `--param=${key}=${value}`)]
  }
  const prepare = (name: string) => applyTopics(brokers, ...rows(name), `--partitions=${PARTITIONS}`)
  const run = (args: readonly string[], ...more: readonly string[]) =>
    kri('run', ...args, ...more, '--workers=2', '--http-port=0', '--session-timeout-ms=6000')
  const fill = (name: string, records = BACKLOG) =>
    writeRows(cluster.port, `${prefix}${name}.in`, { partitions: PARTITIONS, records })
  const committed = (name: string) => cluster.port.admin.committed(`${prefix}${name}`, `${prefix}${name}.in`)
  const ofParent = (path: string, process: KriProcess) => {
    // The parent's address is told without a worker.
    const line = process
      .log()
      .split('\n')
      .find(each => each.includes('health and metrics of all'))!
    return fetch(new URL(path, JSON.parse(line).url))
  }
  const metrics = async (process: KriProcess) => (await ofParent('/metrics', process)).text()
  /** The first that its console shows. */
  const snapshot = async (process: KriProcess): Promise<ConsoleSnapshot> => {
    let text = ''
    for await (const part of (await ofParent('/console/api/events', process)).body!) {
      text += Buffer.from(part).toString()
      const data = /event: snapshot\ndata: (.*)\n\n/.exec(text)?.[1]
      if (data !== undefined) return JSON.parse(data)
    }
    return assert.fail(text)
  }
  /** Of workers, by number; the last one started counts. */
  const pids = (process: KriProcess): Map<number, number> =>
    new Map(
      [...process.log().matchAll(/"worker":(\d+),"pid":(\d+)/g)].map(([, worker, pid]) => [
        Number(worker),
        Number(pid),
      ]),
    )

  it('one that is killed is replaced, nothing is lost, and a stop ends all in order', async () => {
    await prepare('replaced')
    const parent = run(rows('replaced'), '--json')
    await parent.whenReady()
    const before = pids(parent)
    const { instances, ready, problems, partitions } = await snapshot(parent)
    assert.deepEqual([instances.map(({ isMember }) => isMember), ready, problems], [[true, true], true, {}])
    const own = partitions.filter(({ topic }) => topic === `${prefix}replaced.in`)
    assert.deepEqual([own.length, new Set(own.map(({ owner }) => owner)).size], [PARTITIONS, 2])
    await fill('replaced')
    await eventually('it works', async () => (await committed('replaced')).some(offset => offset > 0), 30_000)
    process.kill(before.get(1)!, 'SIGKILL')
    await eventually('readiness is told of both', async () => (await parent.status('/readyz')) === 503)
    assert.equal(await parent.status('/livez'), 200)
    await eventually('it is replaced', () => pids(parent).get(1) !== before.get(1), 10_000)
    await parent.whenReady(60_000)
    assert.equal(pids(parent).get(0), before.get(0))
    await fill('replaced', FEW)
    const all = async () => (await committed('replaced')).every(offset => offset === (BACKLOG + FEW) / PARTITIONS)
    await eventually('all is committed', all, 60_000)
    const text = await metrics(parent)
    assert.match(text, /^kri_worker_restarts_total\{worker="1"\} 1$/m)
    assert.match(text, /^kri_records_in_total\{worker="0",topic=/m)
    assert.match(text, /^kri_in_flight_rows\{worker="1"\} 0$/m)
    parent.child.kill('SIGTERM')
    assert.equal(await parent.ended, 0, parent.log())
    assertGone([...before.values(), ...pids(parent).values()])
    const topics = { in: `${prefix}replaced.in`, out: `${prefix}replaced.out` }
    assert.equal((await judgeRows(cluster.port, topics)).missing, 0)
    // What the killed one had done of its half is told by nobody.
    assert.ok(JSON.parse(parent.output()).records >= BACKLOG / 2 + FEW)
  })

  it('--until-end: the parent ends when all of them have come there', async () => {
    await prepare('end')
    await fill('end', FEW)
    const parent = run(rows('end'), '--until-end', '--json')
    assert.equal(await parent.ended, 0, parent.log())
    const { reachedEnd, records, committed: offsets } = JSON.parse(parent.output())
    assert.deepEqual([reachedEnd, records], [true, FEW])
    assert.deepEqual(offsets, { [`${prefix}end.in`]: { 0: 1_000, 1: 1_000, 2: 1_000, 3: 1_000 } })
  })

  it('a SIGTERM to parent and workers alike, as systemd sends it, is a stop in order', async () => {
    await prepare('alike')
    const parent = run(rows('alike'))
    await parent.whenReady()
    await fill('alike')
    await eventually('it works', async () => (await committed('alike')).some(offset => offset > 0), 30_000)
    const workers = [...pids(parent).values()]
    for (const pid of workers) process.kill(pid, 'SIGTERM')
    parent.child.kill('SIGTERM')
    assert.equal(await parent.ended, 0, parent.log())
    assertGone(workers)
  })

  it('when the parent is killed, its workers end too, by themselves', async () => {
    await prepare('orphans')
    const parent = run(rows('orphans'))
    await parent.whenReady()
    const workers = [...pids(parent).values()]
    parent.child.kill('SIGKILL')
    const left = () => workers.filter(isRunning)
    await eventually('no worker is left', () => left().length === 0, 20_000).finally(() => {
      for (const pid of left()) process.kill(pid, 'SIGKILL')
    })
  })

  it('what is wrong with all of them ends all, once, with the reason', async () => {
    const parent = run(rows('nowhere'))
    assert.equal(await parent.ended, 1)
    assert.match(parent.log(), /\[CRASH_LOOP\] worker \d: \[TOPIC_MISSING\].*kri topics apply/s)
    assert.equal(parent.log().match(/worker started/g)?.length, 2)
  })
})

function assertGone(pids: readonly number[]): void {
  assert.deepEqual(pids.filter(isRunning), [])
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
