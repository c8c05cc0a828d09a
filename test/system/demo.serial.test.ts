import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createKafkaPort } from '../../src/kafkajs/kafka-port.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { testCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'

const RECORDS = 5_400
/** 55 bad records in turn: nine of each of the six kinds, and one more of the first. */
const EXPECTED = {
  produced: RECORDS,
  predictions: 5_345,
  failedPreprocess: 37,
  failedInference: 9,
  failedPostprocess: 9,
}
const [V1, V2, BAD] = ['mlp-v1', 'mlp-v2', '5class'].map(name => `models/digits-${name}.onnx`) as [
  string,
  string,
  string,
]
const NOTHING_WRONG = { lost: 0, duplicates: 0, orderViolations: 0, mismatches: 0 }
const TOPICS = [
  'digits.images',
  'digits.predictions',
  'digits.classify.failed-preprocess',
  'digits.classify.failed-inference',
  'digits.classify.failed-postprocess',
  'digits.digits.images.replay',
  'digits.model-metadata',
  'digits.model-status',
  'digits.classify.shadow',
  'digits.parked',
  'digits.audit',
]
const DEADLINE_MS = 120_000

const cluster = await testCluster()
const demoFile = fileURLToPath(new URL('../../demo/demo.ts', import.meta.url))

describe('demo', { skip: cluster.skip, timeout: 3 * DEADLINE_MS }, () => {
  /** Everything that the demo starts names its folder in here on its command line. */
  const folder = mkdtempSync(join(tmpdir(), 'kri-demo-test-'))
  const given = { KRI_BROKERS: cluster.brokers.join(','), KRI_REGISTRY_URL: cluster.registryUrl }
  const own = { KRI_BROKERS: '', KRI_REGISTRY_URL: '', TMPDIR: folder }

  before(() => deleteTopics(cluster.brokers))
  after(async () => {
    await deleteTopics(cluster.brokers)
    rmSync(folder, { recursive: true, force: true })
  })

  it('says that everything holds, and the numbers as one object on the last line, on the cluster of the environment', async () => {
    const { code, stdout, stderr } = await demo(['--json', '--records', String(RECORDS)], given).ended
    assert.equal(code, 0, stderr)
    const lines = stdout.trimEnd().split('\n')
    assert.equal(lines.length, 1, 'nothing but the object on standard output')
    const { accuracy, batches, meanBatch, models, seconds, modelAccuracy, published, refused, ...counts } = JSON.parse(
      lines[0]!,
    )
    assert.deepEqual(counts, { ...EXPECTED, ...NOTHING_WRONG, modelProblems: [] })
    assert.ok(accuracy > 0.85 && accuracy < 0.99, `accuracy ${accuracy}`)
    // Nine records have a shape of their own; those that fail before the model are in no batch.
    assert.ok(
      Math.abs(batches * meanBatch - (RECORDS - EXPECTED.failedPreprocess)) < batches,
      `${batches} × ${meanBatch}`,
    )
    assert.ok(seconds > 0)
    assert.deepEqual(Object.keys(models).toSorted(), [V1, V2])
    assert.equal(models[V1] + models[V2], EXPECTED.predictions)
    assert.ok(models[V1] >= RECORDS / 2 - 30 && models[V2] >= RECORDS / 4 - 30, JSON.stringify(models))
    assert.ok(Math.abs(modelAccuracy[V1] - 0.8759) < 0.03 && Math.abs(modelAccuracy[V2] - 0.9815) < 0.03)
    assert.deepEqual(published, { modelId: V2, revision: 2, outcome: 'current' })
    assert.partialDeepStrictEqual(refused, { modelId: BAD, revision: 1, outcome: 'failed', serves: V1 })
    assert.match(refused.reason, /MODEL_UNUSABLE.*expected float32\[10\]/)
  })

  it('refuses topics that exist already, and says what to do', async () => {
    const { code, stdout, stderr } = await demo(['--json', '--records', String(RECORDS)], given).ended
    assert.equal(code, 1)
    assert.equal(stdout, '')
    assert.match(stderr, /digits\.images.* exist already.*Delete them/s)
  })

  it('refuses a bad flag before it starts anything', async () => {
    const { code, stderr } = await demo(['--records', 'many'], given).ended
    assert.equal(code, 2)
    assert.match(stderr, /--records takes a whole number .* got "many"/)
  })

  it('starts a cluster of its own, tells people what it found, stays up with its console, and leaves no process behind', async () => {
    const running = demo(['--records', String(RECORDS), '--keep'], own)
    await eventually('the console is open', () => /Ctrl-C ends/.test(running.stdout()), DEADLINE_MS)
    const address = /Console +(\S+)/.exec(running.stdout())![1]!
    assert.match(await (await fetch(address)).text(), /main\.js/)
    running.child.kill('SIGINT')
    const { code, stdout, stderr } = await running.ended
    assert.equal(code, 0, stdout + stderr)
    assert.match(stdout, /lost 0, duplicates 0, out of order 0, mismatches 0/)
    for (const what of ['SHAPE_MISMATCH', 'TOMBSTONE', 'POSTPROCESS_THREW', `Refused +${BAD}`, `${V2} +[0-9,]+, 98`])
      assert.match(stdout, new RegExp(what))
    assert.deepEqual(processesNaming(folder), [])
    assert.deepEqual(readdirSync(folder), [])
  })

  it('leaves no process behind when it is interrupted in the middle of its work', async () => {
    const running = demo(['--records', '2000000'], own)
    await eventually('the cluster is up and is written to', () => /topics .*\n/.test(running.stdout()), DEADLINE_MS)
    assert.notDeepEqual(processesNaming(folder), [])
    running.child.kill('SIGINT')
    const { code, stdout } = await running.ended
    assert.equal(code, 130, stdout)
    assert.deepEqual(processesNaming(folder), [])
    assert.deepEqual(readdirSync(folder), [])
  })
})

function demo(args: readonly string[], env: Record<string, string>) {
  const child = spawn(process.execPath, ['--conditions=kri-source', demoFile, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: DEADLINE_MS,
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', code => resolve({ code, stdout, stderr }))
  })
  return { child, ended, stdout: () => stdout }
}

/** Command lines of all processes of this machine that name the folder. */
function processesNaming(folder: string): string[] {
  const pids = readdirSync('/proc').filter(name => /^\d+$/.test(name))
  return pids.map(commandLine).filter(line => line.includes(folder))
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    // It has ended between the two calls.
    return ''
  }
}

async function deleteTopics(brokers: readonly string[]): Promise<void> {
  const clock = systemClock
  const port = createKafkaPort({ brokers, clientId: 'demo-test', logger: silentLogger, clock, random: Math.random })
  try {
    const existing = await port.admin.describeTopics(TOPICS)
    if (existing.length > 0) await port.admin.deleteTopics(existing.map(({ name }) => name))
    await eventually('the topics are gone', async () => (await port.admin.describeTopics(TOPICS)).length === 0)
  } finally {
    await port.close()
  }
}
