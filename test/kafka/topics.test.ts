import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { avro } from '../../src/kafka/avro-codec.ts'
import { utf8 } from '../../src/kafka/plain-codecs.ts'
import type { KafkaAdmin } from '../../src/kafka/port.ts'
import { registerSchemas, schemaNeeds } from '../../src/kafka/topic-schemas.ts'
import {
  applyPlan,
  optionalTopics,
  planTopics,
  requireApplied,
  type TopologyTopics,
  topicNames,
} from '../../src/kafka/topics.ts'
import { createMemoryRegistry } from '../../src/testing/memory-registry.ts'
import {
  audit,
  code,
  complete,
  defaults,
  existing,
  letters,
  parked,
  replay,
  safe,
  topology,
} from '../support/planned-topics.ts'

suite('topic plan', () => {
  suite('of topics that the topology writes and reads again', () => {
    const through: TopologyTopics = {
      ...topology,
      sources: [{ topic: 'images' }, { topic: 'between', writtenBy: {} }],
      sinks: [{ topic: 'between', options: {} }, ...topology.sinks],
    }
    const images = existing('images', 6, { 'max.message.bytes': '5000000', 'retention.ms': '-1' })
    const created = planTopics(through, [images], defaults).create
    const between = created.find(({ name }) => name === 'between')!

    test('they are as wide as the source, take what is a little larger, and keep records as long, with their time', () => {
      assert.equal(between.partitions, 6)
      assert.deepEqual(between.configs, {
        'min.insync.replicas': '1',
        'cleanup.policy': 'delete',
        'message.timestamp.type': 'CreateTime',
        'max.message.bytes': String(5_000_000 + 65_536),
        'retention.ms': '-1',
      })
      const replays = created
        .filter(({ name }) => name.endsWith('.replay'))
        .map(({ name, partitions }) => [name, partitions])
      assert.deepEqual(replays, [
        ['digits-app.images.replay', 6],
        ['digits-app.between.replay', 6],
      ])
    })

    test('when all is applied nothing is left to do, for the whole and for each part', () => {
      const all = [images, ...created.map(({ name, partitions, configs }) => existing(name, partitions, configs))]
      const lower = { ...through, sources: [through.sources[1]!], sinks: topology.sinks, whole: through }
      const upper = { ...through, sources: topology.sources, sinks: [through.sinks[0]!], steps: [], whole: through }
      for (const part of [through, lower, upper]) {
        const names = topicNames(part)
        const plan = planTopics(
          part,
          all.filter(({ name }) => names.includes(name)),
          defaults,
        )
        assert.deepEqual(plan, { create: [], change: [], refuse: [] })
        for (const name of letters) assert.ok(names.includes(name), 'dead letters are those of the whole')
      }
    })

    test('one that exists is changed where records would be lost; one that is wider or keeps longer is left as it is', () => {
      const wrong = { 'cleanup.policy': 'compact', 'message.timestamp.type': 'LogAppendTime', 'retention.ms': '1000' }
      const { change } = planTopics(through, [images, existing('between', 9, wrong)], defaults)
      assert.deepEqual(
        change.map(({ topic, configs }) => [topic, configs]),
        [
          [
            'between',
            {
              'cleanup.policy': 'delete',
              'message.timestamp.type': 'CreateTime',
              'max.message.bytes': '5065536',
              'retention.ms': '-1',
            },
          ],
        ],
      )
      assert.match(change[0]!.reasons.join(), /retention.ms is 1000, needs -1: records that are still in the source/)
      const longer = existing('between', 6, { ...between.configs, 'retention.ms': '-1' })
      const week = { ...images, configs: { ...images.configs, 'retention.ms': '604800000' } }
      assert.deepEqual(planTopics(through, [week, longer], defaults).change, [])
    })
  })

  test('names all topics of a topology', () => {
    assert.deepEqual(topicNames(topology), ['images', 'predictions', ...letters, replay, parked, audit])
    assert.deepEqual(topicNames({ ...topology, steps: [] }), [
      'images',
      'predictions',
      'digits.failed-preprocess',
      replay,
      parked,
      audit,
    ])
  })

  test('creates what is missing, with partitions and sizes that follow the source', () => {
    const source = existing('images', 6, { 'max.message.bytes': '5000000' })
    const plan = planTopics(topology, [source], defaults)
    assert.deepEqual(
      plan.create.map(({ name, partitions }) => [name, partitions]),
      [['predictions', 6], ...letters.map(name => [name, 6]), [parked, 6], [replay, 6], [audit, 1]],
    )
    assert.deepEqual(plan.create[1]!.configs, {
      'min.insync.replicas': '1',
      'cleanup.policy': 'delete',
      'message.timestamp.type': 'LogAppendTime',
      'max.message.bytes': '5065536',
    })
    assert.equal(plan.create.at(-2)!.configs['message.timestamp.type'], 'LogAppendTime')
    assert.deepEqual([plan.change, plan.refuse], [[], []])
    assert.throws(
      () => requireApplied(plan),
      code('TOPIC_MISSING', /predictions does not exist[\s\S]*kri topics apply/),
    )
  })

  test('says nothing when everything is as it should be', () => {
    const plan = planTopics(topology, complete(), defaults)
    assert.deepEqual(plan, { create: [], change: [], refuse: [] })
    requireApplied(plan)
  })

  test('says nothing either of what it has just made, with topics that the topology writes and reads', () => {
    const cut: TopologyTopics = {
      ...topology,
      sources: [{ topic: 'images' }, { topic: 'between', writtenBy: {} }],
      sinks: [{ topic: 'between', options: {} }, ...topology.sinks],
    }
    const first = planTopics(cut, [existing('images', 6, { 'max.message.bytes': '2000' })], defaults)
    const made = first.create.map(({ name, partitions, configs }) => existing(name, partitions, configs))
    assert.deepEqual(made.find(({ name }) => name === 'between')?.partitions, 6)
    const second = planTopics(cut, [existing('images', 6, { 'max.message.bytes': '2000' }), ...made], defaults)
    assert.deepEqual(second, { create: [], change: [], refuse: [] })
  })

  test('a dead-letter or replay topic under which records would be lost is a TOPIC_POLICY problem', () => {
    for (const name of [letters[1]!, replay]) {
      for (const [config, value] of [
        ['cleanup.policy', 'compact'],
        ['cleanup.policy', 'compact,delete'],
        ['message.timestamp.type', 'CreateTime'],
        ['max.message.bytes', '1048588'],
      ] as const) {
        const topics = complete().map(topic =>
          topic.name === name ? { ...topic, configs: { ...topic.configs, [config]: value } } : topic,
        )
        const plan = planTopics(topology, topics, defaults)
        assert.deepEqual(
          plan.change.map(change => [change.topic, Object.keys(change.configs)]),
          [[name, [config]]],
        )
        assert.throws(() => requireApplied(plan), code('TOPIC_POLICY', new RegExp(`${name}: ${config} is ${value}`)))
      }
    }
  })

  test('what replays write is parked as dead letters are, and audited for ever; an instance runs where that is missing or otherwise', () => {
    const { create } = planTopics(topology, [existing('images', 6)], defaults)
    const made = (wanted: string) => create.find(({ name }) => name === wanted)!
    assert.deepEqual(made(parked), { ...made(letters[0]!), name: parked })
    const configs = { 'min.insync.replicas': '1', 'cleanup.policy': 'delete', 'retention.ms': '-1' }
    assert.deepEqual(made(audit), { name: audit, partitions: 1, replicationFactor: 1, configs })
    const older = complete().filter(({ name }) => name !== parked && name !== audit)
    const missing = planTopics(topology, older, defaults)
    const week = { 'cleanup.policy': 'compact', 'retention.ms': '604800000' }
    const wrong = planTopics(topology, [...older, safe(parked), existing(audit, 1, week)], defaults)
    assert.deepEqual(
      wrong.change.map(({ topic, configs }) => [topic, configs]),
      [[audit, { 'cleanup.policy': 'delete', 'retention.ms': '-1' }]],
    )
    for (const plan of [missing, wrong]) {
      requireApplied(plan, optionalTopics(topology))
      assert.throws(() => requireApplied(plan), code(plan === missing ? 'TOPIC_MISSING' : 'TOPIC_POLICY', /audit/))
    }
  })

  test('refuses what it cannot put right', () => {
    const fewer = complete().map(topic => (topic.name === replay ? safe(replay, 3) : topic))
    assert.match(planTopics(topology, fewer, defaults).refuse[0]!, /has 3 partitions and its source images 4/)
    const bySource = { ...topology, sinks: [{ topic: 'predictions', options: { partition: 'source' as const } }] }
    const narrow = complete().map(topic => (topic.name === 'predictions' ? existing('predictions', 2) : topic))
    assert.match(planTopics(bySource, narrow, defaults).refuse[0]!, /"partition: source" needs/)
    assert.match(planTopics(topology, [], { ...defaults, replicationFactor: 3 }).refuse[0]!, /there are 1/)
    assert.match(planTopics(topology, [], { ...defaults, minIsr: 2 }).refuse[0]!, /nothing could be written/)
    assert.match(planTopics({ ...topology, name: 'a b' }, [], defaults).refuse[0]!, /not a name that Kafka accepts/)
  })

  test('apply does what the plan says, and nothing while it refuses something', async () => {
    const calls: unknown[] = []
    const admin = {
      createTopics: async (topics: readonly { name: string }[]) => void calls.push(topics.map(topic => topic.name)),
      setTopicConfigs: async (name: string, configs: object) => void calls.push([name, configs]),
    } as unknown as KafkaAdmin
    const old = existing(replay, 4, { ...safe(replay).configs, 'message.timestamp.type': 'CreateTime' })
    await applyPlan(
      planTopics(topology, [...complete().filter(({ name }) => ![letters[2], replay].includes(name)), old], defaults),
      admin,
    )
    assert.deepEqual(calls, [[letters[2]], [replay, { 'message.timestamp.type': 'LogAppendTime' }]])
    await assert.rejects(
      applyPlan(planTopics(topology, [], { ...defaults, minIsr: 2 }), admin),
      code('TOPIC_POLICY', /replication/),
    )
    assert.equal(calls.length, 2)
  })
})

suite('topic schemas', () => {
  test('are registered once per subject, and found again', async () => {
    const codecs = {
      sources: [{ topic: 'images', key: utf8(), value: avro('digit') }],
      sinks: [
        { topic: 'predictions', key: avro('digit'), value: avro('digit-prediction') },
        { topic: 'predictions', key: undefined, value: avro('digit-prediction') },
      ],
    }
    const needs = schemaNeeds(codecs)
    assert.deepEqual(
      needs.map(({ subject, schema }) => `${subject} ${schema}`),
      ['images-value digit', 'predictions-key digit', 'predictions-value digit-prediction'],
    )
    const registry = createMemoryRegistry()
    const readSchema = async (name: string) => JSON.stringify({ type: 'record', name, fields: [] })
    const first = await registerSchemas(needs, registry, readSchema)
    assert.deepEqual(
      first.map(({ id, isNew }) => [id, isNew]),
      [
        [1, true],
        [1, true],
        [2, true],
      ],
    )
    const again = await registerSchemas(needs, registry, readSchema)
    assert.ok(again.every(({ isNew }) => !isNew))
  })
})
