import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { TopicDescription } from '../../src/kafka/port.ts'
import { planTopics, requireApplied, type TopologyTopics, topicNames } from '../../src/kafka/topics.ts'
import {
  code,
  complete,
  defaults,
  existing,
  kept,
  letters,
  parked,
  replay,
  safe,
  topology,
} from '../support/planned-topics.ts'

suite('topics of models that can be published', () => {
  const live: TopologyTopics = {
    ...topology,
    steps: [{ step: 'other' }, { step: 'classify', options: { modelMetadata: true } }],
  }
  const names = ['digits-app.model-metadata', 'digits-app.model-status']
  const segments = { 'segment.bytes': '4194304', 'segment.ms': '3600000' }
  const ofModels = (found: readonly TopicDescription[]) => {
    const { create, change, refuse } = planTopics(live, found, defaults)
    return { create: create.filter(({ name }) => names.includes(name)), change, refuse }
  }

  test('they are one compacted log each, where a step asks for it', () => {
    assert.deepEqual(topicNames(live).slice(-5, -2), [...names, 'digits.classify.shadow'])
    assert.ok(!topicNames(topology).some(name => names.includes(name)))
    assert.ok(
      !topicNames({ ...live, steps: [{ step: 'a', options: { modelMetadata: false } }] }).some(name =>
        names.includes(name),
      ),
    )
    const configs = { 'min.insync.replicas': '1', 'cleanup.policy': 'compact' }
    assert.deepEqual(
      ofModels([existing('images', 6)]).create,
      [configs, { ...configs, ...segments }].map((configs, i) => {
        return { name: names[i], partitions: 1, replicationFactor: 1, configs }
      }),
    )
    assert.throws(
      () => requireApplied(planTopics(live, complete(), defaults)),
      code('TOPIC_MISSING', /digits-app\.model-metadata does not exist\n.*\n.*kri topics apply/),
    )
  })

  test('nothing of them may be deleted by age, and there is one partition', () => {
    const found = (policy: string, partitions = 1) =>
      names.map(name => existing(name, partitions, { ...segments, 'cleanup.policy': policy }))
    assert.deepEqual(ofModels(found('compact')), { create: [], change: [], refuse: [] })
    for (const policy of ['delete', 'compact,delete']) {
      const { change } = ofModels(found(policy))
      assert.deepEqual(
        change.map(({ topic, configs }) => [topic, configs]),
        names.map(name => [name, { 'cleanup.policy': 'compact' }]),
      )
      assert.match(
        change[0]!.reasons.join(),
        /cleanup.policy is .*, needs compact: retention would delete what is published/,
      )
    }
    const { refuse } = ofModels(found('compact', 3))
    assert.match(refuse.join(), /digits-app.model-metadata has 3 partitions and needs exactly one/)
    assert.equal(refuse.length, 2)
  })

  test('reports that newer ones have replaced do not stay for long: topics apply sees to it, and instances run without', () => {
    const compacted = names.map(name => existing(name, 1, { 'cleanup.policy': 'compact' }))
    const asBrokersDo = { 'segment.bytes': '1073741824', 'segment.ms': '604800000' }
    const [metadata, status] = compacted
    const found = [metadata!, { ...status!, configs: { ...status!.configs, ...asBrokersDo } }]
    const { change } = ofModels(found)
    assert.deepEqual(
      change.map(({ topic, configs }) => [topic, configs]),
      [[names[1], segments]],
    )
    assert.match(
      change[0]!.reasons.join(),
      /segment.ms is 604800000, needs 3600000: reports that newer ones have replaced/,
    )
    const others = ['other', 'classify'].flatMap(step => letters.map(name => safe(name.replace('classify', step))))
    const ofReplays = [safe(replay), safe(parked), kept()]
    const rest = [existing('images'), existing('predictions'), ...others, ...ofReplays, safe('digits.classify.shadow')]
    requireApplied(planTopics(live, [...rest, ...found], defaults))
    const deleted = { ...status!, configs: { ...asBrokersDo, 'cleanup.policy': 'delete' } }
    assert.throws(
      () => requireApplied(planTopics(live, [...rest, metadata!, deleted], defaults)),
      code('TOPIC_POLICY', /model-status: cleanup.policy is delete/),
    )
  })
})

suite('topics of shadows', () => {
  const live: TopologyTopics = {
    ...topology,
    steps: [{ step: 'other' }, { step: 'classify', options: { modelMetadata: true } }],
  }
  const shadow = 'digits.classify.shadow'
  const found = (...more: readonly TopicDescription[]) => [
    ...[...complete(), ...letters.map(name => safe(name.replace('classify', 'other')))],
    ...['digits-app.model-metadata', 'digits-app.model-status'].map(name =>
      existing(name, 1, { 'cleanup.policy': 'compact', 'segment.bytes': '1048576', 'segment.ms': '60000' }),
    ),
    ...more,
  ]

  test('there is one for each step whose models are published, made as dead-letter topics are', () => {
    assert.deepEqual(
      topicNames(live).filter(name => name.endsWith('.shadow')),
      [shadow],
    )
    assert.ok(!topicNames(topology).some(name => name.endsWith('.shadow')))
    const { create } = planTopics(live, [existing('images', 6)], defaults)
    const made = create.find(({ name }) => name === shadow)!
    const letter = create.find(({ name }) => name === letters[0])!
    assert.deepEqual(made, { ...letter, name: shadow })
    assert.equal(made.partitions, 6)
    assert.deepEqual(planTopics(live, found(safe(shadow)), defaults), { create: [], change: [], refuse: [] })
  })

  test('an instance runs where it is missing or otherwise, and topics apply makes it and puts it right', () => {
    const missing = planTopics(live, found(), defaults)
    assert.deepEqual(
      missing.create.map(({ name }) => name),
      [shadow],
    )
    const wrong = planTopics(live, found(existing(shadow, 4, { 'cleanup.policy': 'compact' })), defaults)
    assert.deepEqual(
      wrong.change.map(({ topic, configs }) => [topic, configs['cleanup.policy']]),
      [[shadow, 'delete']],
    )
    for (const plan of [missing, wrong]) {
      requireApplied(plan, [shadow])
      assert.throws(() => requireApplied(plan), code(plan === missing ? 'TOPIC_MISSING' : 'TOPIC_POLICY', /shadow/))
    }
  })
})
