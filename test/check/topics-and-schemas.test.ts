import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { avro, float32, from, inference, keyed, kv, onnx, topology, utf8 } from 'kafka-run-inference'
import type { ReadSchema } from '../../src/kafka/codec.ts'
import { emptyRecord, RecordBatchBuilder } from '../../src/kafka/record-batch-builder.ts'
import { applyPlan, planTopics } from '../../src/kafka/topics.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { createMemoryBroker, createMemoryRegistry } from '../../src/testing/index.ts'
import { checkOffline } from '../support/check-offline.ts'
import { digitTopology } from '../support/digit-topology.ts'

const schema = (...fields: readonly object[]) => JSON.stringify({ type: 'record', name: 'R', namespace: 'n', fields })
const A = { name: 'a', type: 'int' }
const B = { name: 'b', type: 'string' }
const B_WITH_DEFAULT = { ...B, default: '' }
const reading =
  (text: string): ReadSchema =>
  async () =>
    text
const graph = topology('t', [from('in', avro<object>('r')).to('out', avro<object>('r'))])

describe('check of schemas', () => {
  const withRegistry = async (own: string, subjects: Readonly<Record<string, string>>, port = true) => {
    const registry = createMemoryRegistry()
    for (const [subject, text] of Object.entries(subjects)) await registry.register(subject, text)
    const broker = createMemoryBroker({ clock: systemClock })
    return checkOffline(graph, { registry, readSchema: reading(own), ...(port ? { port: broker.connect() } : {}) })
  }
  const ofSchemas = async (own: string, subjects: Readonly<Record<string, string>>) => {
    const { problems, findings, schemas } = await withRegistry(own, subjects)
    return {
      problems: problems.filter(({ area }) => area === 'schemas'),
      warnings: findings.warnings.filter(({ area }) => area === 'schemas'),
      schemas,
    }
  }

  test('finds nothing where both are registered as they are', async () => {
    const { problems, warnings, schemas } = await ofSchemas(schema(A), {
      'in-value': schema(A),
      'out-value': schema(A),
    })
    assert.deepEqual([problems, warnings], [[], []])
    assert.ok(schemas.every(({ ok, id }) => ok && id === 1))
  })

  test('takes a source that was written with an older version that can still be read', async () => {
    const own = schema(A, B_WITH_DEFAULT)
    const { problems } = await ofSchemas(own, { 'in-value': schema(A), 'out-value': own })
    assert.deepEqual(problems, [])
  })

  test('says of an output that is not registered how to register it', async () => {
    const { problems } = await ofSchemas(schema(A), { 'in-value': schema(A) })
    assert.equal(problems.length, 1)
    assert.partialDeepStrictEqual(problems[0]!, {
      code: 'REGISTRY_REFUSED',
      where: 'values of topic "out", codec avro(r)',
      remedy: 'kri topics apply --schemas',
    })
  })

  test('says of an output whose schema changed incompatibly why, and not to register it', async () => {
    const { problems, schemas } = await ofSchemas(schema(A, B), { 'in-value': schema(A, B), 'out-value': schema(A) })
    assert.equal(problems.length, 1)
    assert.match(problems[0]!.what, /schemas\/r\.avsc changed in a way that subject out-value does not take/)
    assert.match(problems[0]!.got!, /\bb\b/)
    assert.doesNotMatch(problems[0]!.remedy, /apply/)
    assert.deepEqual(
      schemas.map(({ subject, ok }) => [subject, ok]),
      [
        ['in-value', true],
        ['out-value', false],
      ],
    )
  })

  test('says of a source that its records cannot be read any more, before each becomes a dead letter', async () => {
    const own = schema(A, B)
    const { problems } = await ofSchemas(own, { 'in-value': schema(A), 'out-value': own })
    assert.equal(problems.length, 1)
    assert.partialDeepStrictEqual(problems[0]!, { code: 'DECODE_SCHEMA', where: 'values of topic "in", codec avro(r)' })
    assert.match(problems[0]!.what, /latest version of subject in-value cannot be read/)
    assert.match(problems[0]!.got!, /cannot be read as/)
  })

  test('warns of a source that nobody has registered', async () => {
    const { problems, warnings } = await ofSchemas(schema(A), { 'out-value': schema(A) })
    assert.deepEqual(problems, [])
    assert.match(warnings[0]!.what, /the registry has no subject in-value/)
  })

  test('names a file that is no schema, and one that is not there, once each', async () => {
    const { problems } = await ofSchemas('{', {})
    assert.equal(problems.length, 2, JSON.stringify(problems))
    const missing = await checkOffline(graph)
    assert.ok(missing.problems.every(({ what }) => /schemas\/r\.avsc/.test(what)))
    assert.deepEqual(new Set(missing.problems.map(({ code }) => code)), new Set(['TOPOLOGY_INVALID']))
  })

  test('says that a registry is needed where none is configured', async () => {
    const { problems } = await checkOffline(graph, { registry: undefined, readSchema: reading(schema(A)) })
    assert.equal(problems.length, 1)
    assert.match(problems[0]!.remedy, /--registry-url or KRI_REGISTRY_URL/)
  })

  test('tells an outage of the registry as one', async () => {
    const registry = createMemoryRegistry()
    registry.down()
    const { problems } = await checkOffline(graph, { registry, readSchema: reading(schema(A)) })
    assert.ok(problems.length > 0 && problems.every(({ code }) => code === 'REGISTRY_UNAVAILABLE'))
    assert.match(problems[0]!.remedy, /Start the registry/)
  })
})

describe('check of topics and of the newest records', () => {
  const strings = digitTopology()

  async function broker(values: readonly (string | null)[]) {
    const port = createMemoryBroker({ clock: systemClock }).connect()
    const defaults = { partitions: 1, replicationFactor: 1, minIsr: 1, brokerCount: 1 }
    await applyPlan(planTopics(strings, [], defaults), port.admin)
    const builder = new RecordBatchBuilder('in', 0, 1_000_000)
    for (const [i, text] of values.entries()) {
      const value = text === null ? null : Buffer.from(text)
      const key = Buffer.from(`key-${i}`)
      const bytes = { key, keyEnd: key.length, value, valueEnd: value?.length ?? 0 }
      builder.append({ ...emptyRecord(), ...bytes, timestamp: 1_700_000_000_000 + i })
    }
    if (values.length > 0) await port.writer().send([builder.seal()])
    return port
  }

  test('shows what the newest record that does not fail becomes, and warns of those that do', async () => {
    const port = await broker(['1', '5', 'pre', 'short', 'post', 'wide', null])
    const { problems, findings, examples } = await checkOffline(strings, { port })
    assert.deepEqual(problems, [])
    assert.deepEqual(
      findings.warnings.map(({ where, area }) => `${area}: ${where}`),
      [
        'example: from in, with in/0/6',
        'example: to out, with in/0/5',
        'example: step classify, with in/0/4',
        'example: step classify, with in/0/3',
        'example: step classify, with in/0/2',
      ],
    )
    const [example] = examples
    assert.partialDeepStrictEqual(example!, { from: 'topic', records: 7, failed: 5 })
    assert.partialDeepStrictEqual(example!.shown!, { origin: 'in/0/1', key: 'key-1', value: '5' })
    assert.match(String(example!.shown!.produced[0]!.value), /^5:\d$/)
  })

  test('shows an output of a model that is written as a raw row as numbers, also where outputs do not name their record', async () => {
    const handler = onnx({ model: 'models/digits-mlp-v1.onnx', input: float32(64), output: float32(10) })
    const rows = from('in', float32(64)).runInference('s', handler)
    const port = createMemoryBroker({ clock: systemClock }).connect()
    await port.admin.createTopics([{ name: 'in', partitions: 1, replicationFactor: 1, configs: {} }])
    const builder = new RecordBatchBuilder('in', 0, 1_000_000)
    builder.append({ ...emptyRecord(), value: Buffer.alloc(256), valueEnd: 256 })
    await port.writer().send([builder.seal()])
    const { examples } = await checkOffline(topology('t', [rows.to('out', inference())], { provenance: false }), {
      port,
    })
    const value = examples[0]!.shown!.produced[0]!.value as readonly number[]
    assert.equal(value.length, 10)
    assert.ok(Math.abs(value.reduce((sum, each) => sum + each) - 1) < 1e-5)
  })

  test('calls it a problem when all of them fail', async () => {
    const { problems } = await checkOffline(strings, { port: await broker(['pre', 'post']) })
    assert.deepEqual(problems.map(({ code }) => code).sort(), ['FUNCTION_THREW', 'POSTPROCESS_THREW'])
  })

  test('joins no group, commits nothing and writes nothing', async () => {
    const port = await broker(['1', 'pre'])
    await checkOffline(strings, { port })
    assert.deepEqual(await port.admin.committed('t', 'in'), [-1])
    for (const topic of ['out', 't.classify.failed-preprocess']) {
      assert.deepEqual(await port.admin.offsets(topic), [{ start: 0, end: 0 }])
    }
  })

  test('names every policy under which records would be lost, and topics that are missing', async () => {
    const port = await broker([])
    await port.admin.setTopicConfigs('t.classify.failed-inference', { 'cleanup.policy': 'compact' })
    await port.admin.setTopicConfigs('t.in.replay', {
      'message.timestamp.type': 'CreateTime',
      'max.message.bytes': '10',
    })
    await port.admin.deleteTopics(['out'])
    const { problems, topics } = await checkOffline(strings, { port, moduleArguments: "a.ts --param 'x=1 2'" })
    assert.deepEqual(
      problems.map(({ code, where, what }) => [code, where, what.split(' ')[0]]),
      [
        ['TOPIC_MISSING', 'topic "out"', 'it'],
        ['TOPIC_POLICY', 'topic "t.classify.failed-inference"', 'cleanup.policy'],
        ['TOPIC_POLICY', 'topic "t.in.replay"', 'message.timestamp.type'],
        ['TOPIC_POLICY', 'topic "t.in.replay"', 'max.message.bytes'],
      ],
    )
    assert.ok(problems.every(({ remedy }) => remedy.startsWith("kri topics apply a.ts --param 'x=1 2'")))
    assert.deepEqual(
      topics.filter(({ ok }) => !ok).map(({ name }) => name),
      ['out', 't.classify.failed-inference', 't.in.replay'],
    )
  })

  test('names a replay topic with other partitions than its source, and an output with fewer', async () => {
    const port = createMemoryBroker({ clock: systemClock }).connect()
    const topic = (name: string, partitions: number) => ({ name, partitions, replicationFactor: 1, configs: {} })
    await port.admin.createTopics([topic('in', 3), topic('out', 2), topic('t.in.replay', 1)])
    const copies = topology('t', [from('in', utf8()).to('out', utf8(), { partition: 'source' })])
    const { problems } = await checkOffline(copies, { port })
    const sentences = problems.map(({ what, remedy }) => `${what} | ${remedy}`)
    assert.ok(
      sentences.some(text => /out has 2 partitions.*add partitions/.test(text)),
      sentences.join('\n'),
    )
    assert.ok(sentences.some(text => /t\.in\.replay has 1 partitions.*drain the replay topic/.test(text)))
  })
})

describe('check of models', () => {
  test('warns of a provider that is not the one that was asked for first, and names why', async () => {
    const settings = { providers: ['cuda', 'cpu'], isolation: 'thread' } as const
    const handler = onnx({ model: 'models/digits-mlp-v1.onnx', input: float32(64), output: float32(10), ...settings })
    const rows = from('in', float32(64)).runInference('s', handler)
    const { problems, findings, models } = await checkOffline(topology('t', [rows.to('out', inference())]))
    assert.deepEqual(problems, [])
    const [model] = models
    if (model!.provider === 'cuda') return
    assert.equal(findings.warnings.length, 1)
    assert.partialDeepStrictEqual(findings.warnings[0]!, { area: 'models', expected: 'cuda' })
    assert.match(findings.warnings[0]!.got!, /^cuda: /)
  })

  test('refuses the same model where the provider is required', async () => {
    const settings = { providers: ['cuda'], providerPolicy: 'required', isolation: 'thread' } as const
    const handler = onnx({ model: 'models/digits-mlp-v1.onnx', input: float32(64), output: float32(10), ...settings })
    const rows = from('in', { key: utf8(), value: float32(64) }).runInference('s', keyed(handler))
    const labels = rows.map(({ key, value }) => kv(key, value.modelId))
    const { problems, models } = await checkOffline(topology('t', [labels.to('out', { key: utf8(), value: utf8() })]))
    if (models[0]!.provider === 'cuda') return
    assert.equal(problems.length, 1)
    assert.equal(problems[0]!.code, 'MODEL_UNUSABLE')
  })
})
