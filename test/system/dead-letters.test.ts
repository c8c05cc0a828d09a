import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { pathToFileURL } from 'node:url'
import { type AuditRecord, encodeAudit } from '../../src/dead-letters/replay-audit.ts'
import { replayGroup } from '../../src/kafka/topic-names.ts'
import { topicNames } from '../../src/kafka/topics.ts'
import { loadTopology } from '../../src/topology-module.ts'
import { root } from '../repo/source-files.ts'
import { testCluster } from '../support/cluster.ts'
import { kriOnCluster } from '../support/kri-on-cluster.ts'
import { kriOutput } from '../support/kri-output.ts'
import { letterRecords, type TestLetter } from '../support/letter-blocks.ts'
import { sealedBatch } from '../support/record-batches.ts'

const cluster = await testCluster()

describe('kri dlq on a cluster', { skip: cluster.skip, timeout: 120_000 }, () => {
  after(async () => {
    await app.port.admin.deleteTopics(topicNames(await loadTopology(module, {})))
    rmSync(folder, { recursive: true })
  })
  // Its connection is closed behind what is above.
  const app = kriOnCluster('dead-letters', cluster.brokers)
  const folder = mkdtempSync(join(tmpdir(), 'kri-dlq-'))
  const env = { KRI_BROKERS: cluster.brokers.join(','), KRI_REGISTRY_URL: cluster.registryUrl }
  const name = cluster.prefix.replace(/\.$/, '')
  const module = join(folder, 'digits.ts')
  const [preprocess, inference] = [`${name}.classify.failed-preprocess`, `${name}.classify.failed-inference`]
  const source = { 'original-topic': `${name}.images` }
  const kri = (...args: readonly string[]) => kriOutput(args, { cwd: root, env })

  async function json<T>(...args: readonly string[]): Promise<T> {
    const { code, stdout, stderr } = await kri('dlq', ...args, '--json')
    assert.equal(code, 0, stderr)
    return JSON.parse(stdout) as T
  }

  before(async () => {
    const digits = readFileSync(join(root, 'topologies/digits.ts'), 'utf8')
      .replaceAll("'kafka-run-inference'", JSON.stringify(pathToFileURL(join(root, 'src/index.ts')).href))
      .replaceAll("'digits.", `'${name}.`)
      .replaceAll("topology('digits'", `topology('${name}'`)
    writeFileSync(module, digits)
    const applied = await kri('topics', 'apply', module, '--schemas', '--partitions', '2')
    assert.equal(applied.code, 0, applied.stderr)
    const shapes: readonly TestLetter[] = Array.from({ length: 30 }, (_, i) => ({
      key: `order-${i}`,
      facts: { ...source, 'error-message': `expected [64], got [${i}]`, 'failed-at': String(5_000 + i) },
      carried: [['trace', Buffer.from(`t${i}`)]],
    }))
    const hostile: TestLetter = {
      key: Buffer.from([0, 255]),
      value: '\u001b[2J<script>',
      facts: {
        ...source,
        stage: 'preprocess',
        code: 'DECODE_MAGIC_BYTE',
        'error-message': '\u001b]0;x\u0007no <b>magic</b>',
      },
    }
    const writer = app.port.writer()
    await writer.send([
      sealedBatch(letterRecords(shapes), inference, 0),
      sealedBatch(letterRecords([hostile]), preprocess, 1),
    ])
    await writer.close()
  })
  it('ls counts first, and shows the newest of what is selected', async () => {
    const { count, topics, letters } = await json<{ count: number; topics: object; letters: { key: string }[] }>(
      'ls',
      module,
      '--limit',
      '3',
    )
    assert.equal(count, 31)
    assert.deepEqual(topics, { [preprocess]: 1, [inference]: 30, [`${name}.classify.failed-postprocess`]: 0 })
    assert.deepEqual(
      letters.map(({ key }) => key),
      ['order-29', 'order-28', 'order-27'],
    )
    const { stdout } = await kri(
      'dlq',
      'ls',
      module,
      '--ndjson',
      '--key',
      'order-3',
      '--key',
      'order-4',
      '--header',
      'trace=t4',
    )
    assert.deepEqual(
      stdout
        .trim()
        .split('\n')
        .map(line => (JSON.parse(line) as { key: string }).key),
      ['order-4'],
    )
  })

  it('stats have one line for a reason, however its messages differ', async () => {
    const { count, groups } = await json<{
      count: number
      groups: { fingerprint: string; code: string; count: number; message: string }[]
    }>('stats', module)
    assert.equal(count, 31)
    assert.deepEqual(
      groups.map(group => [group.code, group.count, group.message]),
      [
        ['SHAPE_MISMATCH', 30, 'expected [<n>], got [<n>]'],
        ['DECODE_MAGIC_BYTE', 1, '\u001b]<n>;x\u0007no <b>magic</b>'],
      ],
    )
    const again = await json<{ count: number }>('ls', module, '--fingerprint', groups[0]!.fingerprint)
    assert.equal(again.count, 30)
  })

  it('--open leaves out what a replay has handled: what its audit says, or its group has committed', async () => {
    const kept = { target: { kind: 'replay' }, maxReplays: 3, guarantee: 'exactly_once', setHeaders: {} } as const
    const order = { ...kept, selection: { stages: ['inference'] }, bounds: { [inference]: [20, 0] } }
    const base = { run: 'night', by: 'me', at: new Date().toISOString() }
    const audit = (...records: readonly AuditRecord[]) =>
      sealedBatch(
        records.map(record => ({
          timestamp: Date.now(),
          key: Buffer.from(record.run),
          value: encodeAudit(record),
          headers: [],
        })),
        `${name}.audit`,
        0,
      )
    const counted = async (...flags: readonly string[]) =>
      (await json<{ topics: Record<string, number> }>('ls', module, '--limit', '0', ...flags)).topics
    const transactionalId = replayGroup(name, 'night')
    const run = app.port.transactionalWriter({ transactionalId, timeoutMs: 10_000 })
    await run.fence()
    await run.send([audit({ ...base, kind: 'started', order })])
    await run.sendOffsets(transactionalId, [{ topic: inference, partition: 0, offset: 12 }])
    await run.commit()
    const other = { [preprocess]: 1, [`${name}.classify.failed-postprocess`]: 0 }
    assert.deepEqual(await counted('--open'), { ...other, [inference]: 18 })
    const counts = { replayed: 20, parked: 0, lost: 0 }
    await run.send([audit({ ...base, kind: 'finished', counts })])
    await run.commit()
    await run.close()
    assert.deepEqual(await counted('--open'), { ...other, [inference]: 10 })
    assert.deepEqual(await counted(), { ...other, [inference]: 30 })
    const [audited] = (await kri('consume', module, `${name}.audit`, '--limit', '1', '--json')).stdout.split('\n')
    assert.partialDeepStrictEqual(JSON.parse(audited!), { key: 'night', value: { kind: 'finished', counts } })
  })

  it('show has the failure whole, and hex with the reason where a value cannot be decoded', async () => {
    const { stdout, code } = await kri('dlq', 'show', module, `${preprocess}/1/0`)
    assert.equal(code, 0)
    assert.match(stdout, /code {10}DECODE_MAGIC_BYTE/)
    assert.match(stdout, /cannot be decoded: .*magic/is)
    assert.match(stdout, /00000000 {2}1b 5b 32 4a 3c 73 /)
    const wrong = await kri('dlq', 'show', module, `${preprocess}/1/7`)
    assert.match(wrong.stderr, /has no record/)
  })

  it('nothing that a record says reaches the terminal as it is', async () => {
    for (const args of [['ls'], ['stats'], ['show', `${preprocess}/1/0`]] as const) {
      const [command, ...rest] = args
      const { stdout } = await kri('dlq', command, module, ...rest)
      assert.doesNotMatch(stdout.replaceAll('\n', ''), /\p{Cc}/u, command)
    }
  })

  it('export has every byte, and writes over no file', async () => {
    const file = join(folder, 'letters.ndjson')
    assert.deepEqual(await json('export', module, '--out', file), { count: 31, file })
    const lines = readFileSync(file, 'utf8').trim().split('\n')
    const letters = lines.map(
      line => JSON.parse(line) as { code: string; key: string; value: string; headers: unknown[] },
    )
    const { key, value } = letters.find(({ code }) => code === 'DECODE_MAGIC_BYTE')!
    assert.deepEqual(
      [Buffer.from(key, 'base64'), Buffer.from(value, 'base64').toString()],
      [Buffer.from([0, 255]), '\u001b[2J<script>'],
    )
    const again = await kri('dlq', 'export', module, '--out', file)
    assert.equal(again.code, 1)
    assert.match(again.stderr, /is there already/)
  })
})
