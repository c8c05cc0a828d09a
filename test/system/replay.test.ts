// Dead letters come back as predictions once their cause is mended: a real application, and commands beside it.
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type AuditRecord, parseAudit } from '../../src/dead-letters/replay-audit.ts'
import { startReplay } from '../../src/dead-letters/replay-start.ts'
import type { Header } from '../../src/kafka/record-block.ts'
import { replayGroup } from '../../src/kafka/topic-names.ts'
import { topicNames } from '../../src/kafka/topics.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { loadTopology } from '../../src/topology-module.ts'
import { applyTopics } from '../support/apply-topics.ts'
import { testCluster } from '../support/cluster.ts'
import { deleteGroup } from '../support/deleted-group.ts'
import { eventually } from '../support/eventually.ts'
import { kriInProcess } from '../support/kri-in-process.ts'
import { kriOnCluster } from '../support/kri-on-cluster.ts'
import type { KriProcess } from '../support/kri-process.ts'
import { letterRecords } from '../support/letter-blocks.ts'
import { sealedBatch, type TestRecord } from '../support/record-batches.ts'

const { brokers, prefix, skip } = await testCluster()
const MODULE = 'test/support/mended-topology.ts'
const PARTITIONS = [0, 1]
const MANY = 4_000

describe('kri dlq replay', { skip, timeout: 120_000 }, () => {
  after(async () => {
    await app.port.admin.deleteTopics(topicNames(await loadTopology(MODULE, { prefix })))
  })
  // Its connection is closed behind what is above.
  const app = kriOnCluster('replay-test', brokers)
  const module = [MODULE, '--param', `prefix=${prefix}`]
  const [id, input, out, seen] = [`${prefix}app`, `${prefix}in`, `${prefix}out`, `${prefix}seen`]
  const [failed, replays, parked] = [`${id}.classify.failed-preprocess`, `${id}.${input}.replay`, `${id}.parked`]
  let running: KriProcess

  const kri = (command: string, ...args: readonly string[]) =>
    kriInProcess(['dlq', command, ...module, ...args, '--brokers', brokers.join(), '--log-level', 'error'])

  async function json(command: string, ...args: readonly string[]) {
    const { code, stdout, stderr } = await kri(command, ...args, '--json')
    assert.equal(code, 0, stdout + stderr)
    return JSON.parse(stdout)
  }

  async function recordsOf(topic: string, partitions = PARTITIONS): Promise<readonly TestRecord[]> {
    const found: TestRecord[] = []
    const all = partitions.map(partition => ({ topic, partition, from: 'earliest' as const, to: 'end' as const }))
    const copied = (bytes: Buffer | null) => (bytes === null ? null : Buffer.from(bytes))
    for await (const block of app.port.scan(all))
      for (let row = 0; row < block.count; row++) {
        const headers = block.headers(row).map(([name, value]): Header => [name, copied(value)])
        const [key, value] = [copied(block.key(row)), copied(block.value(row))]
        found.push({ timestamp: block.timestamp(row), key, value, headers })
      }
    return found
  }
  const count = async (topic: string) => (await recordsOf(topic)).length
  const audit = async (run: string): Promise<readonly AuditRecord[]> =>
    (await recordsOf(`${id}.audit`, [0]))
      .map(({ value }) => parseAudit(value!, 'audit'))
      .filter(each => each.run === run)

  async function send(topic: string, records: readonly TestRecord[]) {
    const writer = app.port.writer()
    const shares = PARTITIONS.map(partition => records.filter((_, i) => i % PARTITIONS.length === partition))
    for (const [partition, share] of shares.entries()) await writer.send([sealedBatch(share, topic, partition)])
    await writer.close()
  }

  async function start(...args: readonly string[]) {
    running = app.kri('run', ...module, ...args, '--http-port', '0', '--lanes', '1')
    await running.whenReady()
  }

  const values = [...Array.from({ length: 20 }, (_, i) => `#${i}`), 'cursed', 'cursed', ...['1', '2', '3', '4']]
  const records = values.map(
    (value, i): TestRecord => ({
      ...{ timestamp: Date.now() - i, key: Buffer.from(`k${i}`), value: Buffer.from(value) },
      headers: [
        ['trace', Buffer.from(`t${i}`)],
        ['raw', Buffer.from([0, 255, i])],
        ['none', null],
      ],
    }),
  )

  before(async () => {
    await applyTopics(brokers, ...module, '--partitions', '2')
    await start()
    await send(input, records)
    await eventually('22 records have failed', async () => (await count(failed)) === 22)
    running.child.kill('SIGTERM')
    assert.equal(await running.ended, 0, running.log())
  })

  it('is refused while the application does not run, and says what it would do', async () => {
    const { code, stdout, stderr } = await kri('replay')
    assert.equal(code, 1)
    assert.match(stdout, /dry run: nothing was written\n.*selected +22 of 22.*replayed +22 to /s)
    assert.match(stdout, /to do it:\n {2}kri dlq replay .*--name \d{8}-\d{6}-\d{3}-\S+ .*--yes/)
    assert.match(stderr, new RegExp(`no member of group ${id.replaceAll('.', '\\.')} reads .*kri run`))
    const refused = await kri('replay', '--yes')
    const audited = await recordsOf(`${id}.audit`, [0])
    assert.deepEqual([refused.code, await count(replays), audited], [1, 0, []])
  })

  it('mended: what failed comes out of its step once, byte for byte as it was, and nothing on other branches again', async () => {
    await start('--param', 'mended')
    const [before, seenBefore] = [await count(out), await count(seen)]
    const { end, counts } = await json('replay', '--name', 'first', '--reason', 'mended', '--yes')
    assert.deepEqual([end, counts], ['finished', { replayed: 22, parked: 0, lost: 0 }])
    await eventually('20 more predictions', async () => (await count(out)) >= before + 20)
    await eventually('two failed again', async () => (await count(failed)) === 24)
    assert.deepEqual([await count(out), await count(seen)], [before + 20, seenBefore])
    const replayed = new Map((await recordsOf(replays)).map(record => [String(record.key), record]))
    for (const { key, value, headers } of records.slice(0, 22)) {
      const found = replayed.get(String(key))!
      assert.deepEqual(found.value, value)
      assert.deepEqual(
        found.headers.filter(([name]) => !name.startsWith('kri-')),
        headers,
      )
    }
    assert.deepEqual(
      (await audit('first')).map(({ kind, reason }) => [kind, reason]),
      [
        ['started', 'mended'],
        ['finished', 'mended'],
      ],
    )
    assert.equal((await json('ls', '--open')).count, 2)
  })

  it('what fails again and again is parked after as many replays, and nothing is open then', async () => {
    for (const [i, expected] of [
      { replayed: 2, parked: 0 },
      { replayed: 2, parked: 0 },
      { replayed: 0, parked: 2 },
    ].entries()) {
      const { counts } = await json('replay', '--open', '--name', `again-${i}`, '--yes')
      assert.deepEqual(counts, { ...expected, lost: 0 })
      if (expected.replayed > 0) await eventually('two failed again', async () => (await count(failed)) === 26 + 2 * i)
    }
    assert.equal((await json('ls', '--open')).count, 0)
    const letters = await recordsOf(parked)
    assert.deepEqual(letters.map(({ key, value }) => [String(key), String(value)]).sort(), [
      ['k20', 'cursed'],
      ['k21', 'cursed'],
    ])
    const { replayed } = (await json('replay', '--open')) as { replayed: object }
    assert.deepEqual(replayed, {})
  })

  it('one letter that was edited comes out as it is then, and the letter itself stays', async () => {
    const [{ topic, partition, offset }] = (await json('ls', '--key', 'k21', '--limit', '1')).letters
    const place = `${topic}/${partition}/${offset}`
    const folder = await mkdtemp(join(tmpdir(), 'kri-edit-'))
    const file = join(folder, 'edited.json')
    const before = await count(out)
    try {
      await writeFile(file, JSON.stringify({ value: '7' }))
      const dry = await kri('show', place, '--edit-with', file)
      assert.match(dry.stdout, /- value: "cursed"\n\+ value: "7"/)
      assert.match(dry.stderr, /to write it: --yes\nnothing was written/)
      const { kind, changed } = await json('show', place, '--edit-with', file, '--yes', '--reason', 'typo')
      assert.deepEqual([kind, changed], ['edited', ['value']])
    } finally {
      await rm(folder, { recursive: true })
    }
    await eventually('one more prediction', async () => (await count(out)) === before + 1)
    assert.equal((await json('show', place)).value, 'cursed')
  })

  it('what cannot be had ends the run with 1, says how to list it, and stays open until somebody parks it', async () => {
    const facts = { application: id, stage: 'preprocess', code: 'GONE', 'original-topic': `${prefix}elsewhere` }
    await send(failed, letterRecords([{ facts }, { facts }]))
    const { code, stdout, stderr } = await kri('replay', '--code', 'GONE', '--name', 'lost', '--yes')
    assert.deepEqual([code, stdout], [1, 'run lost is finished: 0 replayed, 2 left where they are\n'])
    const list = new RegExp(
      `\\n2 dead letters are left where they are, and open. To list what is open: kri dlq ls ${MODULE} --code GONE --open .*\\n$`,
    )
    assert.match(stderr, list)
    assert.equal((await json('park', '--open', '--name', 'aside', '--yes')).counts.parked, 2)
  })

  it('killed, and taken up when brokers have forgotten its group, it is refused with nothing written', async () => {
    const topology = await loadTopology(MODULE, { prefix })
    const { signal } = new AbortController()
    const parts = {
      ...{ port: app.port, topology, clock: systemClock, random: Math.random, signal, by: 'anna', allowedTopics: [] },
      guarantee: 'exactly_once' as const,
    }
    const killed = { onStarted: () => assert.fail('killed') }
    await assert.rejects(startReplay(parts, { name: 'forgotten' }, killed), /killed/)
    const group = replayGroup(id, 'forgotten')
    assert.deepEqual(await app.port.admin.committed(group, failed), [0, 0])
    await deleteGroup(brokers, group)
    const before = await count(replays)
    const { code, stderr } = await kri('replay', '--name', 'forgotten', '--yes')
    assert.deepEqual([code, await count(replays)], [1, before])
    assert.match(stderr, /\[REPLAY_FORGOTTEN\] run forgotten \(started by anna at .*--name forgotten --cancel/)
    await json('replay', '--name', 'forgotten', '--cancel')
  })

  for (const guarantee of ['exactly_once', 'at_least_once'] as const)
    it(`killed, taken up again, stopped by Ctrl-C, and taken up again, ${guarantee}: every letter is written, and counted`, async () => {
      const keys = Array.from({ length: MANY }, (_, i) => `${guarantee}-${i}`)
      const facts = { application: id, stage: 'preprocess', 'original-topic': input, code: guarantee.toUpperCase() }
      const letters = keys.map((key, i) => ({
        key,
        value: `${i}`,
        facts: { ...facts, 'original-partition': `${i % 2}` },
      }))
      await send(failed, letterRecords(letters))
      const run = `kill-${guarantee}`
      const committed = async () =>
        (await app.port.admin.committed(replayGroup(id, run), failed)).reduce(
          (sum, offset) => sum + Math.max(0, offset),
        )
      /** Ends it when it has done something more, and not yet all. */
      const ended = async (words: readonly string[], signal: NodeJS.Signals) => {
        const before = await committed()
        const process = app.kri('dlq', 'replay', ...module, '--name', run, ...words, '--rate', '1000', '--yes')
        await eventually('some are committed', async () => (await committed()) > before)
        process.child.kill(signal)
        return [await process.ended, process.log()] as const
      }
      const [killed] = await ended(['--guarantee', guarantee, '--code', facts.code], 'SIGKILL')
      assert.equal(killed, 'SIGKILL')
      const [code, log] = await ended([], 'SIGINT')
      assert.equal(code, 130, log)
      assert.match(log, new RegExp(`it goes on with: kri dlq replay .* --name ${run} .*--yes`))
      assert.ok((await writtenOf(keys)).size < MANY)
      const { counts, isResumed } = await json('replay', '--name', run, '--yes')
      assert.deepEqual([isResumed, counts], [true, { replayed: MANY, parked: 0, lost: 0 }])
      const written = await writtenOf(keys)
      assert.equal(written.size, MANY)
      const most = Math.max(...written.values())
      if (guarantee === 'exactly_once') assert.equal(most, 1)
      assert.deepEqual(
        (await audit(run)).map(({ kind }) => kind),
        ['started', 'resumed', 'stopped', 'resumed', 'finished'],
      )
    })

  /** How often each of these is in the replay topic, for who reads what is committed. */
  async function writtenOf(keys: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const wanted = new Set(keys)
    const found = new Map<string, number>()
    for (const { key } of await recordsOf(replays)) {
      const text = String(key)
      if (wanted.has(text)) found.set(text, (found.get(text) ?? 0) + 1)
    }
    return found
  }
})
