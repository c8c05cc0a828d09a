import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import type { OwnedPartition } from '../../src/kafka/port.ts'
import { Ownership } from '../../src/kafkajs/ownership.ts'
import { Takeover } from '../../src/kafkajs/takeover.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { withCode } from '../contract/port-harness.ts'

const outage = () => new RunInferenceError('BROKER_UNAVAILABLE', 'gone')

interface OffsetFetch {
  readonly requireStable: boolean
  readonly topics: readonly { readonly topic: string; readonly partitions: readonly { readonly partition: number }[] }[]
}

/** A takeover whose every step is noted, and waits or fails when the test says so. */
function setup({ fences = true } = {}) {
  const clock = createManualClock()
  const log: string[] = []
  const owned = new Map<number, OwnedPartition>()
  const script = new Map<string, (Promise<void> | RunInferenceError | false)[]>()
  const ownership = new Ownership()
  let over = new AbortController()
  let number = 0
  let offset = 0

  async function next(step: string): Promise<boolean> {
    log.push(step)
    const scripted = script.get(step.split(' ')[0]!)?.shift()
    if (scripted instanceof RunInferenceError) throw scripted
    await scripted
    return scripted !== false
  }
  const call = async <T>(_api: string, { topics, requireStable }: OffsetFetch): Promise<T> => {
    await next(requireStable ? 'committed' : 'committed,pending')
    const list = topics[0]!.partitions.map(({ partition }) => ({ partition, errorCode: 0, offset: String(offset) }))
    return { errorCode: 0, responses: [{ topic: 't', partitions: list }] } as T
  }
  const coordinator = async () => ({ call: <T>(api: string, args: object) => call<T>(api, args as OffsetFetch) })
  const takeover = new Takeover({
    cluster: {
      leader: () => 1,
      refresh: async () => {},
      channel: () => assert.fail('nothing asks for offsets of the log'),
      coordinator,
    },
    session: {
      memberId: 'm',
      generation: 1,
      coordinator,
      forgetCoordinator: () => {},
      confirm: () => next('confirm'),
    },
    clock,
    random: () => 0.5,
    purpose: 'p',
    groupId: 'g',
    starts: new Map(),
    ownership,
    beforeAssigned: fences
      ? async list => void (await next(`before ${list.map(({ partition }) => partition)}`))
      : undefined,
    onTaken: list => {
      for (const taken of list) {
        assert.ok(!owned.has(taken.partition), `${taken.partition} is not owned twice`)
        owned.set(taken.partition, taken)
        log.push(`taken ${taken.partition}@${taken.position}`)
      }
    },
    onLost: list => {
      for (const { partition } of list) {
        owned.delete(partition)
        log.push(`lost ${partition}`)
      }
    },
    onTrouble: () => {},
    onFatal: error => void log.push(`fatal ${error.code}`),
  })
  /** A new generation, in which this member has both partitions; the one before is over. */
  async function begin(): Promise<boolean> {
    over.abort()
    over = new AbortController()
    number++
    const share = { partitions: new Map([['t', [0, 1]]]), freshTopics: new Set<string>() }
    const { lost, added } = ownership.enter({ ...share, memberId: 'm', number, counted: undefined })
    assert.deepEqual(lost, [])
    return takeover.begin(added, share.freshTopics, over.signal)
  }
  return {
    clock,
    log,
    owned,
    takeover,
    ownership,
    begin,
    end: () => over.abort(),
    answer: (step: string, ...answers: (Promise<void> | RunInferenceError | false)[]) => script.set(step, answers),
    commit: (to: number) => {
      offset = to
    },
    /** Both are owned, nothing is noted. */
    async taken() {
      assert.ok(await begin())
      log.length = 0
    },
    restart: (partition: number) => takeover.restart(owned.get(partition)!),
    epochs: () => [...owned.values()].map(({ partition, epoch }) => `${partition}:${epoch}`).sort(),
  }
}

describe('taking partitions', () => {
  it('A1 reads what is committed behind a fence, in every attempt', async () => {
    const { begin, log, answer, clock, commit } = setup()
    answer('before', outage())
    answer('committed', outage())
    commit(7)
    const taking = begin()
    await clock.advance(5_000)
    assert.ok(await taking)
    assert.deepEqual(log, [
      'before 0,1',
      'before 0,1',
      'committed',
      'before 0,1',
      'committed',
      'taken 0@7',
      'taken 1@7',
    ])
  })

  it('A1 asks nobody where there is nothing to take, or nobody to ask', async () => {
    const { begin, log } = setup({ fences: false })
    assert.ok(await begin())
    assert.deepEqual(log, ['committed,pending', 'taken 0@0', 'taken 1@0'], 'no transaction is waited for')
    assert.ok(await begin())
    assert.equal(log.length, 3)
  })

  it('A1 does not fence twice at a time: a new generation waits for the call of the one before', async () => {
    const { begin, log, answer, clock } = setup()
    const slow = Promise.withResolvers<void>()
    answer('before', slow.promise)
    const first = begin()
    await clock.settle()
    const second = begin()
    assert.equal(await first, false)
    await clock.advance(60_000)
    assert.deepEqual(log, ['before 0,1'])
    slow.resolve()
    assert.ok(await second)
    assert.deepEqual(log.slice(1), ['before 0,1', 'committed', 'taken 0@0', 'taken 1@0'])
  })

  it('A1 an error that trying again does not mend ends it', async () => {
    const { begin, answer } = setup()
    answer('before', new RunInferenceError('AUTHORISATION', 'no'))
    await assert.rejects(begin(), withCode('AUTHORISATION'))
  })
})

describe('taking a partition again', () => {
  it('A2 loses it at once, and takes it when the coordinator has confirmed the member', async () => {
    const { taken, restart, log, answer, clock, commit, epochs } = setup()
    await taken()
    commit(5)
    answer('confirm', false, false)
    restart(0)
    assert.deepEqual(log.splice(0), ['lost 0', 'confirm'])
    await clock.advance(5_000)
    assert.deepEqual(log, ['confirm', 'confirm', 'before 0', 'committed', 'taken 0@5'])
    assert.deepEqual(epochs(), ['0:3', '1:2'])
  })

  it('A2 does nothing for an epoch that is over', async () => {
    const { taken, takeover, restart, log, owned, clock } = setup()
    await taken()
    const old = owned.get(0)!
    restart(0)
    await clock.advance(1_000)
    log.length = 0
    takeover.restart(old)
    takeover.restart({ topic: 't', partition: 9, epoch: 1 })
    await clock.advance(1_000)
    assert.deepEqual(log, [])
  })

  it('A2 takes those together that were given up together, and later ones after them', async () => {
    const { taken, restart, log, answer, clock, begin } = setup()
    await taken()
    restart(0)
    restart(1)
    await clock.advance(1_000)
    assert.deepEqual(log, ['lost 0', 'confirm', 'lost 1', 'before 0,1', 'committed', 'taken 0@0', 'taken 1@0'])
    log.length = 0
    const slow = Promise.withResolvers<void>()
    answer('before', slow.promise)
    restart(0)
    await clock.settle()
    restart(1)
    slow.resolve()
    await clock.advance(1_000)
    assert.deepEqual(
      log.filter(line => line.startsWith('taken')),
      ['taken 0@0', 'taken 1@0'],
    )
    assert.ok(await begin())
  })

  it('A2 an error that trying again does not mend is fatal', async () => {
    const { taken, restart, log, answer, clock } = setup()
    await taken()
    answer('before', new RunInferenceError('AUTHORISATION', 'no'))
    restart(0)
    await clock.advance(1_000)
    assert.equal(log.at(-1), 'fatal AUTHORISATION')
  })

  for (const step of ['confirm', 'before', 'committed']) {
    it(`A3 a generation that ends at '${step}' takes nothing; the next one takes it, once`, async () => {
      const { taken, restart, log, answer, clock, begin, epochs } = setup()
      await taken()
      const slow = Promise.withResolvers<void>()
      answer(step, slow.promise)
      restart(0)
      await clock.settle()
      assert.ok(log.at(-1)!.startsWith(step))
      const next = begin()
      await clock.settle()
      slow.resolve()
      assert.ok(await next)
      await clock.advance(60_000)
      assert.equal(log.filter(line => line.startsWith('taken')).length, 1)
      assert.deepEqual(epochs(), ['0:3', '1:2'])
    })
  }

  it('A3 what is given up when the generation is over waits for the next, and is claimed until then', async () => {
    const { taken, restart, log, end, begin, clock, ownership, epochs } = setup()
    await taken()
    end()
    restart(1)
    await clock.advance(60_000)
    assert.deepEqual(log, ['lost 1'])
    assert.deepEqual(ownership.claim().owned, new Map([['t', [0, 1]]]))
    assert.ok(await begin())
    assert.deepEqual(epochs(), ['0:1', '1:3'])
  })

  it('A3 nothing is claimed any more when the session is over', async () => {
    const { taken, restart, end, ownership } = setup()
    await taken()
    restart(1)
    end()
    ownership.clear()
    assert.deepEqual(ownership.claim().owned, new Map())
  })
})
