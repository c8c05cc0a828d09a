import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import { Backoff } from '../../src/kafkajs/backoff.ts'
import { Commits } from '../../src/kafkajs/commits.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { withCode } from '../contract/port-harness.ts'

const REBALANCE_IN_PROGRESS = 27
const ILLEGAL_GENERATION = 22
const UNKNOWN_MEMBER_ID = 25
const NOT_COORDINATOR = 16
const GROUP_AUTHORIZATION_FAILED = 30

interface SentCommit {
  readonly groupGenerationId: number
  readonly topics: readonly { topic: string; partitions: readonly { partition: number; offset: string }[] }[]
}

/** A coordinator that answers what the test says, and a session in generation 1 that owns t/0 (epoch 1) and t/1 (2). */
function setup() {
  const clock = createManualClock()
  const sent: string[] = []
  const troubles: string[] = []
  const epochs = new Map([
    ['t/0', 1],
    ['t/1', 2],
  ])
  /** The error codes of the next requests, by partition; without one: 0. An error: the request fails. */
  const script: (Record<number, number> | RunInferenceError)[] = []
  let hold: Promise<void> | undefined
  const session = {
    memberId: 'm',
    generation: 1,
    coordinator: async () => ({
      call: async <T>(_api: string, args: object) => (await commit(args as SentCommit)) as T,
    }),
    forgetCoordinator: () => {},
    expelled: (name: string) => {
      troubles.push(`expelled ${name}`)
      epochs.clear()
      session.generation = -1
      commits.sweep()
    },
  }
  async function commit({ groupGenerationId, topics }: SentCommit) {
    for (const { topic, partitions } of topics) {
      for (const { partition, offset } of partitions) sent.push(`${groupGenerationId}: ${topic}/${partition} ${offset}`)
    }
    await hold
    const codes = script.shift() ?? {}
    if (codes instanceof RunInferenceError) throw codes
    const answer = (p: { partition: number }) => ({ partition: p.partition, errorCode: codes[p.partition] ?? 0 })
    return { responses: topics.map(({ topic, partitions }) => ({ topic, partitions: partitions.map(answer) })) }
  }
  const commits = new Commits({
    groupId: 'g',
    session,
    backoff: new Backoff(clock, () => 0.5),
    owns: (key, epoch) => epochs.get(key) === epoch,
    onTrouble: failure => void troubles.push(failure?.code ?? 'well'),
  })
  const request = (partition: number, epoch: number, offset: number) => ({ topic: 't', partition, epoch, offset })
  const holdAnswers = () => {
    const gate = Promise.withResolvers<void>()
    hold = gate.promise
    return () => {
      hold = undefined
      gate.resolve()
    }
  }
  return { clock, sent, troubles, epochs, script, session, commits, request, holdAnswers }
}

describe('commits', () => {
  it('K1 send nothing for an epoch that is over, and the rest of the call all the same', async () => {
    const { commits, request, sent } = setup()
    assert.deepEqual(await commits.commit([request(0, 9, 5), request(1, 2, 7)]), [false, true])
    assert.deepEqual(sent, ['1: t/1 7'])
  })

  it('K1 are answered false when the epoch ends while they wait to be tried again', async () => {
    const { commits, request, sent, epochs, script, clock } = setup()
    script.push({ 0: NOT_COORDINATOR, 1: NOT_COORDINATOR })
    const result = commits.commit([request(0, 1, 5), request(1, 2, 7)])
    await clock.settle()
    epochs.set('t/0', 3)
    commits.sweep()
    await clock.advance(1_000)
    assert.deepEqual(await result, [false, true])
    assert.deepEqual(sent, ['1: t/0 5', '1: t/1 7', '1: t/1 7'])
  })

  it('K1 of an epoch that ended under way are answered false, and move nothing of the epoch behind it', async () => {
    const { commits, request, sent, epochs, script, holdAnswers, clock } = setup()
    script.push({ 0: NOT_COORDINATOR })
    const answerFirst = holdAnswers()
    const before = commits.commit([request(0, 1, 100)])
    await clock.settle()
    // Lost, and taken again from what was committed.
    epochs.set('t/0', 3)
    commits.sweep()
    const behind = commits.commit([request(0, 3, 60)])
    answerFirst()
    await clock.advance(1_000)
    assert.deepEqual([await before, await behind], [[false], [true]])
    assert.deepEqual(sent, ['1: t/0 100', '1: t/0 60'])
  })

  it('K2 go one at a time, and of one partition the highest offset goes', async () => {
    const { commits, request, sent, holdAnswers, clock } = setup()
    const answerAll = holdAnswers()
    const results = [5, 9, 7].map(offset => commits.commit([request(0, 1, offset)]))
    await clock.settle()
    assert.deepEqual(sent, ['1: t/0 5'])
    answerAll()
    assert.deepEqual(await Promise.all(results), [[true], [true], [true]])
    assert.deepEqual(sent, ['1: t/0 5', '1: t/0 9'])
  })

  it('K2 a retry does not take back what was committed since', async () => {
    const { commits, request, sent, holdAnswers, script, clock } = setup()
    script.push({ 0: NOT_COORDINATOR })
    const answerFirst = holdAnswers()
    const first = commits.commit([request(0, 1, 5)])
    await clock.settle()
    const second = commits.commit([request(0, 1, 9)])
    answerFirst()
    await clock.advance(1_000)
    assert.deepEqual(await Promise.all([first, second]), [[true], [true]])
    assert.deepEqual(sent, ['1: t/0 5', '1: t/0 9'])
  })

  it('K3 wait while the member joins, and go in the new generation', async () => {
    const { commits, request, sent, session, clock } = setup()
    session.generation = -1
    const result = commits.commit([request(0, 1, 5)])
    await clock.advance(10_000)
    assert.deepEqual(sent, [])
    session.generation = 2
    commits.resume()
    assert.deepEqual(await result, [true])
    assert.deepEqual(sent, ['2: t/0 5'])
  })

  it('K3 an answer about a generation that ended meanwhile is tried again in the next', async () => {
    const { commits, request, sent, session, script, holdAnswers, troubles, clock } = setup()
    script.push({ 0: ILLEGAL_GENERATION })
    const answer = holdAnswers()
    const result = commits.commit([request(0, 1, 5)])
    await clock.settle()
    session.generation = 2
    answer()
    await clock.advance(1_000)
    assert.deepEqual(await result, [true])
    assert.deepEqual(sent, ['1: t/0 5', '2: t/0 5'])
    assert.ok(!troubles.some(line => line.startsWith('expelled')))
  })

  for (const [name, code] of Object.entries({ ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID })) {
    it(`${name} for the present generation ends the session, and the commit is false`, async () => {
      const { commits, request, script, troubles, clock } = setup()
      script.push({ 0: code })
      const result = commits.commit([request(0, 1, 5)])
      await clock.advance(1_000)
      assert.deepEqual(await result, [false])
      assert.ok(troubles.includes(`expelled ${name}`))
    })
  }

  it('K4 wait out an outage, say so, and say when it is over', async () => {
    const { commits, request, sent, script, troubles, clock } = setup()
    const outage = new RunInferenceError('BROKER_UNAVAILABLE', 'gone')
    script.push(outage, outage, { 0: REBALANCE_IN_PROGRESS })
    const result = commits.commit([request(0, 1, 5)])
    await clock.advance(5_000)
    assert.deepEqual(await result, [true])
    assert.equal(sent.length, 4)
    assert.deepEqual(troubles.slice(0, 3), ['BROKER_UNAVAILABLE', 'BROKER_UNAVAILABLE', 'BROKER_UNAVAILABLE'])
    assert.equal(troubles.at(-1), 'well')
  })

  it('K4 reject what trying again does not mend', async () => {
    const { commits, request, script } = setup()
    script.push({ 0: GROUP_AUTHORIZATION_FAILED })
    await assert.rejects(commits.commit([request(0, 1, 5)]), withCode('AUTHORISATION'))
  })
})
