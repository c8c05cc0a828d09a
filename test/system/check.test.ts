import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { CheckReport } from '../../src/check/report.ts'
import { createKafkaPort } from '../../src/kafkajs/kafka-port.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { root } from '../repo/source-files.ts'
import { testCluster } from '../support/cluster.ts'
import { keepCompatible } from '../support/keep-compatible.ts'
import { kriOutput } from '../support/kri-output.ts'

const FIVE_SECONDS = 5_000
const cluster = await testCluster()

describe('kri check on a cluster', { skip: cluster.skip, timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'kri-check-'))
  const env = { KRI_BROKERS: cluster.brokers.join(','), KRI_REGISTRY_URL: cluster.registryUrl }
  const name = cluster.prefix.replace(/\.$/, '')
  const source = `${name}.images`
  const good = join(folder, 'good.ts')
  const bad = join(folder, 'bad.ts')
  const port = createKafkaPort({
    brokers: cluster.skip === false ? cluster.brokers : ['none:1'],
    clientId: 'check-test',
    logger: silentLogger,
    clock: systemClock,
    random: Math.random,
  })

  before(() => {
    writeFileSync(good, moduleText('models/digits-mlp-v1.onnx', 'digit-prediction'))
    // A model of other width, an output that subject refuses (the digits themselves), and a policy that loses dead letters.
    writeFileSync(bad, moduleText('models/digits-width32.onnx', 'digit'))
  })
  after(async () => {
    const names = ['images', 'predictions'].map(topic => `${name}.${topic}`)
    const letters = ['preprocess', 'inference', 'postprocess'].map(stage => `${name}.classify.failed-${stage}`)
    await port.admin.deleteTopics([...names, ...letters, `${name}.${source}.replay`])
    await port.close()
    rmSync(folder, { recursive: true })
  })

  function moduleText(model: string, output: string): string {
    const package_ = JSON.stringify(pathToFileURL(join(root, 'src/index.ts')).href)
    return `
      import { avro, float32, from, int64, keyed, kv, onnx, topology, utf8 } from ${package_}
      const mlp = onnx({ model: '${model}', inputs: { x: float32(64) }, outputs: { probabilities: float32(10), label: int64() } })
      const classifier = keyed(mlp)
        .withPreprocess(({ key, value }: any) => kv(key, { x: value.pixels }))
        .withPostprocess(({ key, value }: any) =>
          kv(key, { id: key, label: Number(value.inference.label[0]), probabilities: value.inference.probabilities, modelId: value.modelId }))
      const codec = { key: utf8(), value: avro('digit') }
      export default topology('${name}', [
        from('${source}', codec).runInference('classify', classifier).to('${name}.predictions', { key: utf8(), value: avro('${output}') as any }),
      ])`
  }

  async function check(
    module: string,
    ...flags: readonly string[]
  ): Promise<CheckReport & { readonly code: number | null }> {
    const { code, stdout, stderr } = await kriOutput(['check', module, '--json', ...flags], { cwd: root, env })
    assert.equal(stderr, '')
    return { code, ...(JSON.parse(stdout) as CheckReport) }
  }

  it('before anything is there, names every topic and schema that is missing, and how to make them', async () => {
    const { code, problems } = await check(good)
    assert.equal(code, 1)
    const missing = problems.filter(({ code }) => code === 'TOPIC_MISSING')
    assert.equal(missing.length, 6)
    assert.ok(missing.every(({ remedy }) => remedy.startsWith(`kri topics apply ${good} (`)))
    const schemas = problems.filter(({ area }) => area === 'schemas')
    assert.deepEqual(
      schemas.map(({ remedy }) => remedy),
      [`kri topics apply ${good} --schemas`],
    )
  })

  it('finds nothing once they are there, and shows what the newest record becomes, without joining a group or writing', async () => {
    const applied = await kriOutput(['topics', 'apply', good, '--schemas', '--partitions', '2'], { cwd: root, env })
    assert.equal(applied.code, 0, applied.stderr)
    const empty = await check(good)
    assert.deepEqual([empty.code, empty.problems, empty.warnings], [0, [], []])
    assert.equal(empty.examples[0]!.from, 'warm-up')

    const produce = ['produce', good, '--file', 'data/digits-test.ndjson', '--key-field', 'id']
    assert.equal((await kriOutput(produce, { cwd: root, env })).code, 0)
    const report = await check(good)
    assert.deepEqual([report.code, report.ok, report.problems, report.warnings], [0, true, [], []])
    assert.equal(report.topics.length, 8)
    assert.ok(report.topics.every(({ ok }) => ok))
    const alone = report.topics.filter(({ partitions }) => partitions !== 2)
    assert.partialDeepStrictEqual(alone, [{ name: `${name}.audit`, partitions: 1 }])
    assert.equal(alone.length, 1)
    assert.ok(report.schemas.every(({ ok, id }) => ok && id !== null))
    assert.partialDeepStrictEqual(report.models, [{ ok: true, provider: 'cpu', steps: ['classify'] }])
    const [example] = report.examples
    assert.partialDeepStrictEqual(example!, { from: 'topic', records: 8, failed: 0 })
    assert.match(example!.shown!.origin, new RegExp(`^${source}/[01]/\\d+$`))
    const { key, produced } = example!.shown!
    assert.partialDeepStrictEqual(produced, [{ topic: `${name}.predictions`, value: { id: key } }])
    assert.ok(report.seconds < FIVE_SECONDS / 1000, `${report.seconds} s`)

    assert.deepEqual(await port.admin.committed(name, source), [-1, -1])
    const ends = await port.admin.offsets(`${name}.predictions`)
    assert.ok(ends.every(({ end }) => end === 0))
  })

  it('is done within five seconds, start of the process included', async () => {
    const startedAt = performance.now()
    await check(good)
    const ms = performance.now() - startedAt
    assert.ok(ms < FIVE_SECONDS, `${ms} ms`)
  })

  it('of a bad topology finds model, schema and topic policy at once, and run then refuses each', async () => {
    const letters = `${name}.classify.failed-inference`
    await keepCompatible(cluster.registryUrl, `${name}.predictions-value`)
    await port.admin.setTopicConfigs(letters, { 'cleanup.policy': 'compact' })
    const { code, problems } = await check(bad)
    assert.equal(code, 1)
    const found = (area: string) => problems.filter(problem => problem.area === area)
    assert.match(found('models')[0]!.what, /'x'.*expected float32\[64\].*got 'x' float32\[batch,32\]/)
    assert.match(
      found('schemas')[0]!.what,
      /digit\.avsc changed in a way that subject .*predictions-value does not take/,
    )
    assert.match(found('topics')[0]!.what, /cleanup.policy is compact, needs delete/)
    assert.equal(found('topics')[0]!.where, `topic "${letters}"`)
    const text = await kriOutput(['check', bad], { cwd: root, env })
    assert.match(text.stdout, /^3 problems, 0 warnings/m)
    const run = await kriOutput(['run', bad, '--http-port', 'off', '--until-end'], { cwd: root, env })
    assert.equal(run.code, 1)
    assert.match(run.stderr, /TOPIC_POLICY/)
    await port.admin.setTopicConfigs(letters, { 'cleanup.policy': 'delete' })
    assert.match((await kriOutput(['run', bad, '--http-port', 'off'], { cwd: root, env })).stderr, /REGISTRY_REFUSED/)
  })

  it('names brokers and a registry that do not answer, and checks the models all the same', async () => {
    const nowhere = { KRI_BROKERS: '127.0.0.1:1', KRI_REGISTRY_URL: 'http://127.0.0.1:1' }
    const { code, stdout } = await kriOutput(['check', good, '--json'], { cwd: root, env: nowhere })
    const { problems, models } = JSON.parse(stdout) as CheckReport
    assert.equal(code, 1)
    const codes = new Set(problems.map(({ code }) => code))
    assert.deepEqual(codes, new Set(['BROKER_UNAVAILABLE', 'REGISTRY_UNAVAILABLE']))
    assert.ok(models.every(({ ok }) => ok))
  })
})
