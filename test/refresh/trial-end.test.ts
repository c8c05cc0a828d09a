import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import { modelMetadataTopic } from '../../src/kafka/topic-names.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { readMetadata } from '../../src/refresh/metadata-log.ts'
import { changeMetadata } from '../../src/refresh/metadata-writer.ts'
import { aborted, withCandidate } from '../../src/refresh/state-changes.ts'
import type { Candidate, StepModels } from '../../src/refresh/step-models.ts'
import { trialEnder } from '../../src/refresh/trial-end.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { createMemoryBroker } from '../../src/testing/memory-broker.ts'

const TOPIC = modelMetadataTopic('app')
const candidate: Candidate = { model: { modelId: 'b', modelName: 'b' }, mode: 'canary', percent: 10, salt: 'x' }
const trial = { slot: 's', revision: 1, candidate }
const act = ['me', '2026-01-01T00:00:00Z'] as const

async function running() {
  const clock = createManualClock()
  const broker = createMemoryBroker({ clock, random: () => 0.5 })
  const port = broker.connect()
  const configs = { 'cleanup.policy': 'compact' }
  await port.admin.createTopics([{ name: TOPIC, partitions: 1, replicationFactor: 1, configs }])
  const parts = { port, applicationId: 'app', clock, random: () => 0.5 }
  const told: string[] = []
  const end = trialEnder({
    ...{ ...parts, instance: 'i-1' },
    logger: { ...silentLogger, error: (_, text) => void told.push(text) },
    onOutage: what => void told.push(`outage: ${what}`),
    onRecovered: what => void told.push(`recovered: ${what}`),
  })
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 500) await clock.advance(500)
  }
  const change = async (to: (state: StepModels | undefined) => StepModels) => {
    const work = changeMetadata(parts, 's', to)
    await pass(1_000)
    await work
  }
  const published = async () => {
    const read = readMetadata(port, TOPIC)
    await pass(1_000)
    return (await read).slots.get('s')!.state
  }
  await change(state => withCandidate(state, candidate, ...act))
  return { broker, told, end, pass, change, published }
}

describe('the end of a trial, by an instance', () => {
  it('says who and why, and of several that end it one writes', async () => {
    const { end, pass, published } = await running()
    const { signal } = new AbortController()
    for (let i = 0; i < 3; i++) end(trial, `reason ${i}`, signal)
    await pass(10_000)
    const { revision, candidate: on, publishedBy, reason } = await published()
    assert.deepEqual([revision, on, publishedBy], [2, undefined, 'i-1'])
    assert.match(reason!, /^reason \d$/)
  })

  it('ends no other trial than that which was judged', async () => {
    const { end, pass, change, published } = await running()
    await change(state => aborted(state, ...act))
    await change(state => withCandidate(state, { ...candidate, salt: 'y' }, ...act))
    for (const revision of [1, 3]) end({ ...trial, revision }, 'too slow', new AbortController().signal)
    await pass(10_000)
    assert.deepEqual((await published()).candidate!.salt, 'y')
  })

  it('is tried until the topic can be written, or the signal comes', async () => {
    const { broker, end, pass, published, told } = await running()
    const outage = new RunInferenceError('BROKER_UNAVAILABLE', 'no answer')
    broker.failNext('fence', outage, 10_000)
    const stopped = new AbortController()
    end(trial, 'too slow', stopped.signal)
    await pass(120_000)
    assert.deepEqual(new Set(told), new Set(['outage: end of the trial of s']))
    stopped.abort()
    await pass(1_000)
    assert.equal(told.at(-1), 'recovered: end of the trial of s')
    assert.ok((await published()).candidate)
  })

  it('is given up, and told, where the instance has no right to it', async () => {
    const { broker, end, pass, published, told } = await running()
    broker.failNext('fence', new RunInferenceError('AUTHORISATION', 'no Write'), 1)
    end(trial, 'too slow', new AbortController().signal)
    await pass(60_000)
    assert.ok((await published()).candidate)
    assert.match(told.at(-1)!, /each instance gives it up by itself. Run kri models abort/)
  })
})
