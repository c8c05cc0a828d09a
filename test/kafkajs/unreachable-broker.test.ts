import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { describe, it } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import type { MemberOptions } from '../../src/kafka/port.ts'
import { createKafkaPort } from '../../src/kafkajs/kafka-port.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { withCode } from '../contract/port-harness.ts'
import { eventually } from '../support/eventually.ts'

const OPTIONS: MemberOptions = {
  groupId: 'g',
  sources: [{ topic: 't', start: 'earliest' }],
  sessionTimeoutMs: 10_000,
  heartbeatIntervalMs: 500,
  rebalanceTimeoutMs: 10_000,
  drainBudgetMs: 500,
  maxBytesPerPartition: 1024,
  maxBytesPerFetch: 1024,
  maxFetchWaitMs: 100,
}

function connect(address: string) {
  return createKafkaPort({
    brokers: [address],
    clientId: 'unreachable',
    logger: silentLogger,
    clock: systemClock,
    random: Math.random,
    connectionTimeoutMs: 1_000,
  })
}

/** An address where nobody listens: one that was free a moment ago. */
async function nobody(): Promise<string> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise(resolve => server.close(resolve))
  return `127.0.0.1:${port}`
}

describe('a broker that cannot be reached', () => {
  it('G4 is waited for: the member says so, keeps trying, and can be stopped', async () => {
    const address = await nobody()
    const port = connect(address)
    const states: string[] = []
    let reason: RunInferenceError | undefined
    const member = port.member(OPTIONS, {
      onAssigned: () => assert.fail('there is nothing to assign'),
      onLost: () => assert.fail('there is nothing to lose'),
      onBlock: () => assert.fail('there is nothing to read'),
      onRebalance: async () => {},
      onState: (state, why) => {
        states.push(state)
        reason ??= why
      },
      onFatal: error => assert.fail(error),
    })
    const started = assert.rejects(member.start(), withCode('CLOSED'))
    await eventually('the member says so', () => states.includes('degraded'))
    assert.equal(reason!.code, 'BROKER_UNAVAILABLE')
    assert.match(reason!.message, new RegExp(`${address}.*ECONNREFUSED`))
    assert.equal(member.alive(), false)
    await member.stop()
    await started
    assert.deepEqual(states, ['connecting', 'degraded', 'stopped'])
    await port.close()
  })

  it('may be stopped before it was started', async () => {
    const port = connect(await nobody())
    const ignore = () => {}
    const events = { onAssigned: ignore, onLost: ignore, onBlock: ignore, onState: ignore, onFatal: ignore }
    await port.member(OPTIONS, { ...events, onRebalance: async () => {} }).stop()
    await port.close()
  })

  it('ends what waits for it when the client is closed', async () => {
    const port = connect(await nobody())
    const writer = port.writer()
    const bytes = Buffer.alloc(61)
    const sent = assert.rejects(writer.send([{ topic: 't', partition: 0, count: 1, bytes }]), withCode('CLOSED'))
    await writer.close()
    await sent
    await port.close()
    await assert.rejects(port.admin.brokerCount(), withCode('CLOSED'))
  })

  for (const address of ['localhost', 'localhost:kafka', ':9092', 'localhost:99999']) {
    it(`'${address}' is no address`, () => {
      assert.throws(() => connect(address), withCode('SETTINGS_INVALID'))
    })
  }

  it('has to be named', () => {
    const settings = { clientId: 'c', logger: silentLogger, clock: systemClock, random: Math.random }
    assert.throws(() => createKafkaPort({ brokers: [], ...settings }), RunInferenceError)
  })
})
