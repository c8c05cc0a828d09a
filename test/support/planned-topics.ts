/** A topology whose topics are planned, and topics as they may exist. */
import assert from 'node:assert/strict'
import type { TopicDescription } from '../../src/kafka/port.ts'
import type { TopologyTopics } from '../../src/kafka/topics.ts'

export const topology: TopologyTopics = {
  name: 'digits',
  applicationId: 'digits-app',
  sources: [{ topic: 'images' }],
  sinks: [{ topic: 'predictions', options: {} }],
  steps: [{ step: 'classify' }],
}
export const defaults = { partitions: 4, replicationFactor: 1, minIsr: 1, brokerCount: 1 }
export const existing = (name: string, partitions = 4, configs: Record<string, string> = {}): TopicDescription => ({
  name,
  partitions,
  replicationFactor: 1,
  configs,
})
export const safe = (name: string, partitions = 4) =>
  existing(name, partitions, {
    'cleanup.policy': 'delete',
    'message.timestamp.type': 'LogAppendTime',
    'max.message.bytes': String(1_048_588 + 65_536),
  })
export const letters = ['preprocess', 'inference', 'postprocess'].map(stage => `digits.classify.failed-${stage}`)
export const replay = 'digits-app.images.replay'
export const parked = 'digits.parked'
export const audit = 'digits-app.audit'
export const kept = () => existing(audit, 1, { 'cleanup.policy': 'delete', 'retention.ms': '-1' })
export const complete = () => [
  existing('images'),
  existing('predictions'),
  ...letters.map(name => safe(name)),
  safe(replay),
  safe(parked),
  kept(),
]
export const code = (expected: string, what: RegExp) => (error: unknown) => {
  const { code, message } = error as { code?: string; message: string }
  assert.equal(code, expected, message)
  assert.match(message, what)
  return true
}
