import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { ShownRecord } from '../../src/cli/consume-record.ts'
import { topicNames } from '../../src/kafka/topics.ts'
import { createKafkaPort } from '../../src/kafkajs/kafka-port.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { root } from '../repo/source-files.ts'
import { testCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { kriOutput } from '../support/kri-output.ts'
import { startKri } from '../support/kri-process.ts'
import { sealedBatch } from '../support/record-batches.ts'

const DIGITS = 30
const cluster = await testCluster()

describe('kri consume on a cluster', { skip: cluster.skip, timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'kri-consume-'))
  const env = { KRI_BROKERS: cluster.brokers.join(','), KRI_REGISTRY_URL: cluster.registryUrl }
  const name = cluster.prefix.replace(/\.$/, '')
  const [source, output] = [`${name}.images`, `${name}.predictions`]
  const letters = `${name}.classify.failed-preprocess`
  const module = join(folder, 'digits.ts')
  const port = createKafkaPort({
    brokers: cluster.skip === false ? cluster.brokers : ['none:1'],
    clientId: 'consume-test',
    logger: silentLogger,
    clock: systemClock,
    random: Math.random,
  })
  const writer = port.writer()
  // Terminals clear on the first, and run what stands between the others.
  const garbage = Buffer.from('\u001b[2J\u001b]0;x\u0007')

  async function kri(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await kriOutput(args, { cwd: root, env })
    assert.equal(code, 0, stderr)
    return stdout
  }

  async function consume(...args: readonly string[]): Promise<ShownRecord[]> {
    const text = await kri('consume', module, '--json', ...args)
    return text.split('\n').flatMap(line => (line === '' ? [] : [JSON.parse(line) as ShownRecord]))
  }

  async function writeGarbage(): Promise<void> {
    const record = { timestamp: Date.now(), key: Buffer.from('bad'), value: garbage, headers: [] }
    await writer.send([sealedBatch([record], source, 1)])
  }

  before(async () => {
    const digits = readFileSync(join(root, 'topologies/digits.ts'), 'utf8')
      .replaceAll("'kafka-run-inference'", JSON.stringify(pathToFileURL(join(root, 'src/index.ts')).href))
      .replaceAll("'digits.", `'${name}.`)
      .replaceAll("topology('digits'", `topology('${name}'`)
    writeFileSync(module, digits)
    const lines = readFileSync(join(root, 'data/digits-test.ndjson'), 'utf8').split('\n').slice(0, DIGITS)
    const input = join(folder, 'digits.ndjson')
    writeFileSync(input, lines.join('\n'))
    await kri('topics', 'apply', module, '--schemas', '--partitions', '2')
    await kri('produce', module, '--file', input, '--key-field', 'id')
    await writeGarbage()
    await kri('run', module, '--until-end', '--start', 'earliest', '--http-port', 'off')
  })
  after(async () => {
    const topology = { name, applicationId: name, sources: [{ topic: source }], steps: [{ step: 'classify' }] }
    await writer.close()
    await port.admin.deleteTopics(topicNames({ ...topology, sinks: [{ topic: output, options: {} }] }))
    await port.close()
    rmSync(folder, { recursive: true })
  })

  it('shows every prediction and dead letter, decoded', async () => {
    const records = await consume()
    const predictions = records.filter(({ topic }) => topic === output)
    assert.equal(predictions.length, DIGITS)
    for (const { key, value, headers, deadLetter, undecoded } of predictions) {
      assert.partialDeepStrictEqual(value, { id: key })
      assert.equal((value as { probabilities: number[] }).probabilities.length, 10)
      assert.match(String(headers.find(([name]) => name === 'kri-source')?.[1]), new RegExp(`^${source}/[01]/\\d+$`))
      assert.deepEqual([deadLetter, undecoded], [undefined, undefined])
    }
    const rest = records.filter(({ topic }) => topic !== output)
    assert.equal(rest.length, 1)
    assert.partialDeepStrictEqual(rest[0]!, {
      ...{ topic: letters, key: 'bad', value: garbage.toString('base64') },
      deadLetter: {
        ...{ stage: 'preprocess', step: 'classify', code: 'DECODE_MAGIC_BYTE', modelId: null },
        original: { topic: source, partition: 1 },
      },
    })
    assert.match(rest[0]!.undecoded!.value!, /^\[DECODE_MAGIC_BYTE\]/)
    assert.ok(Math.abs(rest[0]!.deadLetter!.failedAt! - Date.now()) < 120_000)
  })

  it('shows what is asked for: dead letters, outputs, a topic, the newest', async () => {
    assert.deepEqual(
      (await consume('--dead-letters')).map(({ topic }) => topic),
      [letters],
    )
    assert.equal((await consume('--outputs')).length, DIGITS)
    const newest = await consume(source, '--limit', '3')
    assert.equal(newest.length, 3)
    assert.ok(newest.every(({ topic }) => topic === source))
    // The last one that was written, which is no digit.
    assert.ok(newest.some(({ key, undecoded }) => key === 'bad' && undecoded !== undefined))
    const wrong = await kriOutput(['consume', module, `${name}.image`], { cwd: root, env })
    assert.equal(wrong.code, 1)
    assert.match(wrong.stderr, new RegExp(`\\[SETTINGS_INVALID\\].*Did you mean ${source}\\?`))
  })

  it('as text shows the newest 20 in a line each, and says that there may be more; nothing is an escape sequence', async () => {
    const { stdout, stderr } = await kriOutput(['consume', module], { cwd: root, env })
    const lines = stdout.trimEnd().split('\n')
    assert.equal(lines.filter(line => line.startsWith(`${output}/`)).length, 20)
    const letter = lines.filter(line => line.startsWith(`${letters}/`))
    assert.equal(letter.length, 1)
    assert.match(
      letter[0]!,
      /DECODE_MAGIC_BYTE in preprocess of step classify: .* from .*\.images\/1\/\d+ {2}"bad" {2}base64 "/,
    )
    assert.doesNotMatch(stdout.replaceAll('\n', ''), /\p{Cc}/u)
    assert.match(stderr, new RegExp(`${output}: the newest 20; --limit shows more`))
    assert.match(stderr, /failed-inference: no records/)
  })

  it('follows what comes until Ctrl-C, then ends with 130', async () => {
    const following = startKri(['consume', module, source, '--follow', '--limit', '1', '--json'], {
      cwd: root,
      env: { ...process.env, ...env },
    })
    const lines = () => following.output().split('\n').length - 1
    await eventually('what is there is shown', async () => lines() === 1, 30_000)
    await writeGarbage()
    await eventually('what comes is shown', async () => lines() === 2, 30_000)
    following.child.kill('SIGINT')
    assert.equal(await following.ended, 130, following.log())
    const [before, behind] = following
      .output()
      .split('\n')
      .map(line => line && (JSON.parse(line) as ShownRecord))
    assert.equal((behind as ShownRecord).offset, (before as ShownRecord).offset + 1)
    assert.equal(following.log(), '')
  })
})
