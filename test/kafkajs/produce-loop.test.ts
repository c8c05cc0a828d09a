import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import type { SealedBatch } from '../../src/kafka/record-batch-builder.ts'
import { BATCH } from '../../src/kafka/record-batch-format.ts'
import type { Protocol } from '../../src/kafkajs/internals.ts'
import { ProduceLoop } from '../../src/kafkajs/produce-loop.ts'
import type { ProduceAnswer } from '../../src/kafkajs/produce-request.ts'
import type { WirePayload } from '../../src/kafkajs/wire-payload.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { withCode } from '../contract/port-harness.ts'
import { plainRecord, sealedBatch } from '../support/record-batches.ts'

const CODES = {
  DUPLICATE_SEQUENCE_NUMBER: 46,
  MESSAGE_TOO_LARGE: 10,
  NOT_LEADER: 6,
  OUT_OF_ORDER_SEQUENCE_NUMBER: 45,
  TOPIC_AUTHORIZATION_FAILED: 29,
}

/** One record batch of a produce request, as the broker would see it. */
interface Sent {
  readonly value: string
  readonly producerId: number
  readonly sequence: number
  readonly bytes: Buffer
}

/** In the script: the answer says nothing of this partition. */
const LEFT_OUT = -99

/** A loop whose only broker answers each batch with the next code of the script for its partition, and 0 without one. */
function setup() {
  const clock = createManualClock()
  const requests: Sent[][] = []
  const script = new Map<number, (number | RunInferenceError)[]>()
  const topic = { name: 't', errorCode: 0, leaders: [1, 1, 1], replicationFactor: 1 }
  let known = false
  let ids = 100
  let hold: Promise<void> | undefined
  const listeners = new Set<() => void>()
  const send = async <T>(protocol: Protocol<T>): Promise<T> => {
    const sent = await readRequest(protocol)
    requests.push(sent.map(({ partition: _, ...rest }) => rest))
    await hold
    const partitions = sent.flatMap(({ partition }) => {
      const scripted = script.get(partition)?.shift() ?? 0
      if (scripted instanceof RunInferenceError) throw scripted
      if (scripted === LEFT_OUT) return []
      return [{ topic: 't', partition, errorCode: scripted, baseOffset: scripted === 0 ? 7 : -1 }]
    })
    const answer: ProduceAnswer = { partitions, clientSideThrottleTime: 0 }
    return answer as T
  }
  const loop = new ProduceLoop({
    cluster: {
      track: () => !known,
      refresh: async () => {
        known = true
        for (const listener of listeners) listener()
      },
      onRefresh: listener => {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
      topic: () => (known ? topic : undefined),
      leader: (_topic, partition) => (known ? (topic.leaders[partition] ?? -1) : -1),
      brokerIds: [1],
      anyBroker: async <T>() => ({ errorCode: 0, producerId: String(++ids), producerEpoch: 0 }) as T,
      channel: () => ({ send }),
    },
    clock,
    random: () => 0.5,
    logger: silentLogger,
    purpose: 'p',
  })
  const holdAnswers = () => {
    const gate = Promise.withResolvers<void>()
    hold = gate.promise
    return () => {
      hold = undefined
      gate.resolve()
    }
  }
  const flat = () => requests.flat().map(({ value, producerId, sequence }) => `${value} ${producerId}:${sequence}`)
  return { clock, loop, requests, script, topic, holdAnswers, flat }
}

async function readRequest(protocol: { readonly request: object }): Promise<(Sent & { partition: number })[]> {
  const { encode } = protocol.request as { encode(): Promise<WirePayload> }
  const { chunks } = await encode()
  const sent = []
  // Every second chunk is a batch; the one in front of it ends with partition and length.
  for (let i = 0; i + 1 < chunks.length; i += 2) {
    const [head, bytes] = [chunks[i]!, Buffer.from(chunks[i + 1]!)]
    sent.push({
      partition: head.readInt32BE(head.length - 8),
      value: bytes.toString('latin1', BATCH.records + 6, BATCH.records + 7),
      producerId: bytes.readInt32BE(BATCH.producerId + 4),
      sequence: bytes.readInt32BE(BATCH.baseSequence),
      bytes,
    })
  }
  return sent
}

/** `count` records, of which the first says `value`. */
function batch(partition: number, value: string, count = 1, padding = 0): SealedBatch {
  const records = Array.from({ length: count }, (_, i) => plainRecord(i === 0 ? value + ' '.repeat(padding) : '-'))
  return sealedBatch(records, 't', partition)
}

const ok = { outcome: 'acknowledged', baseOffset: 7 }

describe('the sending loop', () => {
  it('W1 has one batch per partition under way, in call order', async () => {
    const { loop, flat, requests, holdAnswers, clock } = setup()
    const answerAll = holdAnswers()
    const result = loop.send([batch(0, 'a', 3), batch(0, 'b', 2), batch(0, 'c')])
    await clock.settle()
    assert.deepEqual(flat(), ['a 101:0'])
    answerAll()
    assert.deepEqual(await result, [ok, ok, ok])
    assert.deepEqual(flat(), ['a 101:0', 'b 101:3', 'c 101:5'])
    assert.equal(requests.length, 3)
  })

  it('W2 sends the identical bytes again when the answer was lost, and takes a duplicate for written', async () => {
    const { loop, requests, script, clock } = setup()
    const lost = new RunInferenceError('BROKER_UNAVAILABLE', 'no answer')
    script.set(0, [lost, CODES.NOT_LEADER, CODES.DUPLICATE_SEQUENCE_NUMBER])
    const result = loop.send([batch(0, 'a', 3), batch(0, 'b')])
    await clock.advance(10_000)
    assert.deepEqual(
      (await result).map(({ outcome }) => outcome),
      ['acknowledged', 'acknowledged'],
    )
    const [first, second, third, next] = requests.flat()
    assert.ok(first!.bytes.equals(second!.bytes) && first!.bytes.equals(third!.bytes))
    assert.equal(next!.sequence, 3)
  })

  it('W2 a leader that moved, or an answer that says nothing of a batch, is no success: identical bytes go to who leads now', async () => {
    const { loop, script, requests, topic, clock } = setup()
    script.set(0, [CODES.NOT_LEADER, LEFT_OUT])
    const sent = loop.send([batch(0, 'a'), batch(1, 'b')])
    topic.leaders[0] = 2
    await clock.advance(2_000)
    assert.deepEqual(await sent, [ok, ok])
    const ofA = requests.flat().filter(({ value }) => value === 'a')
    assert.equal(ofA.length, 3)
    for (const { bytes, sequence } of ofA) assert.deepEqual([bytes, sequence], [ofA[0]!.bytes, 0])
    assert.equal(requests.flat().filter(({ value }) => value === 'b').length, 1, 'what was written is not sent again')
  })

  it('W3 a refused batch leaves its sequence to the next', async () => {
    const { loop, flat, script } = setup()
    script.set(0, [0, CODES.MESSAGE_TOO_LARGE])
    const results = await loop.send([batch(0, 'a', 2), batch(0, 'b', 5), batch(0, 'c')])
    assert.deepEqual(results, [ok, { outcome: 'refused', reason: 'MESSAGE_TOO_LARGE' }, ok])
    assert.deepEqual(flat(), ['a 101:0', 'b 101:2', 'c 101:2'])
  })

  it('W3 a batch that is given up, and may have been written, takes its identity along', async () => {
    const { loop, flat, script, clock } = setup()
    script.set(0, [new RunInferenceError('BROKER_UNAVAILABLE', 'no answer'), CODES.TOPIC_AUTHORIZATION_FAILED])
    const refused = assert.rejects(loop.send([batch(0, 'a')]), withCode('AUTHORISATION'))
    await clock.advance(5_000)
    await refused
    const result = loop.send([batch(0, 'b')])
    await clock.advance(5_000)
    assert.deepEqual(await result, [ok])
    assert.deepEqual(flat(), ['a 101:0', 'a 101:0', 'b 102:0'])
  })

  it('W4 one request carries what is ready for a broker, up to a few megabytes', async () => {
    const { loop, requests } = setup()
    await loop.send([0, 1, 2].map(partition => batch(partition, 'x')))
    assert.deepEqual(
      requests.map(sent => sent.length),
      [3],
    )
    requests.length = 0
    await loop.send([0, 1, 2].map(partition => batch(partition, 'y', 1, 3_000_000)))
    assert.deepEqual(
      requests.map(sent => sent.length),
      [1, 1, 1],
    )
  })

  it('W5 goes on under a new id for the one partition whose sequence the broker has lost', async () => {
    const { loop, flat, script, clock } = setup()
    await loop.send([batch(0, 'a', 4), batch(1, 'b', 4)])
    script.set(0, [CODES.OUT_OF_ORDER_SEQUENCE_NUMBER])
    const result = loop.send([batch(0, 'c', 2), batch(1, 'd'), batch(0, 'e')])
    await clock.advance(5_000)
    assert.deepEqual(await result, [ok, ok, ok])
    assert.deepEqual(flat().slice(2).sort(), ['c 101:4', 'c 102:0', 'd 101:4', 'e 102:2'])
  })

  it('W6 does not write what lost its permit while it waited behind another; what is behind it goes on', async () => {
    const { loop, flat, holdAnswers, clock } = setup()
    const answerAll = holdAnswers()
    let isLost = false
    const first = loop.send([batch(0, 'a')])
    const lost = loop.send([batch(0, 'b', 2), batch(0, 'c')], () => (isLost ? 'drop' : 'write'))
    const behind = loop.send([batch(0, 'd')])
    await clock.settle()
    isLost = true
    answerAll()
    await clock.settle()
    assert.deepEqual(await Promise.all([first, behind]), [[ok], [ok]])
    assert.deepEqual(
      (await lost).map(({ outcome }) => outcome),
      ['dropped', 'dropped'],
    )
    assert.deepEqual(flat(), ['a 101:0', 'd 101:1'])
  })

  it('W6 does not try again what lost its permit: its earlier attempt may be written, so the next has another id', async () => {
    const { loop, flat, script, clock } = setup()
    let isLost = false
    script.set(0, [new RunInferenceError('BROKER_UNAVAILABLE', 'no answer')])
    const lost = loop.send([batch(0, 'a', 3)], () => (isLost ? 'drop' : 'write'))
    const behind = loop.send([batch(0, 'b')])
    await clock.settle()
    isLost = true
    await clock.advance(10_000)
    assert.deepEqual([(await lost)[0]!.outcome, await behind], ['dropped', [ok]])
    assert.deepEqual(flat(), ['a 101:0', 'b 102:0'])
  })

  it('W6 holds what may not be written now, and writes it when it may', async () => {
    const { loop, flat, clock } = setup()
    let isAlive = false
    const held = loop.send([batch(0, 'a')], () => (isAlive ? 'write' : 'hold'))
    const other = loop.send([batch(1, 'b')])
    await clock.advance(5_000)
    assert.deepEqual([flat(), await other], [['b 101:0'], [ok]])
    isAlive = true
    await clock.advance(1_000)
    assert.deepEqual([flat(), await held], [['b 101:0', 'a 101:0'], [ok]])
  })

  it('rejects what cannot help: a topic that stays missing, a closed writer', async () => {
    const { loop, topic, clock } = setup()
    Object.assign(topic, { errorCode: 3, leaders: [] })
    const missing = assert.rejects(loop.send([batch(0, 'a')]), withCode('TOPIC_MISSING'))
    await clock.advance(5_000)
    await missing
    Object.assign(topic, { errorCode: 0, leaders: [-1, -1, -1] })
    const closed = assert.rejects(loop.send([batch(0, 'b')]), withCode('CLOSED'))
    await clock.advance(60_000)
    loop.close()
    await closed
  })
})
