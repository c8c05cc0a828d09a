// Every way to connect to a broker: with the right credentials it works, with wrong ones it is told at once what is wrong.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { connect as connectTcp, createServer } from 'node:net'
import { describe, it } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import type { KafkaPort } from '../../src/kafka/port.ts'
import { Channel } from '../../src/kafkajs/channel.ts'
import { createKafkaPort, type KafkaPortOptions } from '../../src/kafkajs/kafka-port.ts'
import { kafkajsLogger } from '../../src/kafkajs/log-bridge.ts'
import { saslSettings } from '../../src/kafkajs/sasl.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { eventually } from '../support/eventually.ts'
import { sealedBatch } from '../support/record-batches.ts'
import type { ListenerName, SecuredCluster } from '../support/secured-cluster.ts'

type Security = Pick<KafkaPortOptions, 'ssl' | 'sasl'>
type Mechanism = 'plain' | 'scram-sha-256' | 'scram-sha-512'

/** A token as the brokers' own validator for tests takes it: signed by nobody. */
function token(user: string, secondsLeft: number): string {
  const now = Math.floor(Date.now() / 1000)
  const parts = [{ alg: 'none' }, { sub: user, iat: now - 600, exp: now + secondsLeft }]
  return `${parts.map(part => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.`
}

export function connectionSuite({ listeners, files, secrets, users }: SecuredCluster): void {
  const pem = (name: keyof typeof files) => readFileSync(files[name], 'utf8')
  const trusting = (name: 'ca' | 'otherCa' = 'ca') => ({ ca: pem(name) })
  const login = (mechanism: Mechanism, password = secrets.alice): Security => ({
    sasl: { mechanism, username: 'alice', password },
  })
  const bearer = (secondsLeft: number): Security => ({
    sasl: { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: token('alice', secondsLeft) }) },
  })
  const connect = (address: string, security: Security): KafkaPort =>
    createKafkaPort({
      ...{ brokers: [address], clientId: 'security', logger: silentLogger, clock: systemClock, random: Math.random },
      ...security,
    })

  describe('the right credentials', { concurrency: 4 }, () => {
    const own = { ...trusting(), cert: pem('client') }
    const ways: readonly (readonly [what: string, listener: ListenerName, security: Security])[] = [
      ['TLS', 'tls', { ssl: trusting() }],
      ['mutual TLS', 'mtls', { ssl: { ...own, key: pem('clientKey') } }],
      [
        'mutual TLS, encrypted key',
        'mtls',
        { ssl: { ...own, key: pem('encryptedKey'), passphrase: secrets.keyPassword } },
      ],
      ['SASL PLAIN', 'login', login('plain')],
      ['SASL SCRAM-SHA-256', 'login', login('scram-sha-256')],
      ['SASL OAUTHBEARER', 'login', bearer(600)],
      ['SASL SCRAM-SHA-512 over TLS', 'secure', { ssl: trusting(), ...login('scram-sha-512') }],
    ]
    for (const [what, listener, security] of ways) {
      it(`${what}: topics, writing, a group with commits, and reading work`, async () => {
        const port = connect(listeners[listener], security)
        const topic = `ways-${randomBytes(4).toString('hex')}`
        await port.admin.createTopics([{ name: topic, partitions: 1, replicationFactor: 1, configs: {} }])
        // More than one segment of TLS, and than one chunk of a socket.
        const value = randomBytes(200_000)
        const writer = port.writer()
        const record = { timestamp: Date.now(), key: null, value, headers: [] }
        const [sent] = await writer.send([sealedBatch([record], topic, 0)])
        assert.equal(sent!.outcome, 'acknowledged')
        await writer.close()
        let read: Buffer | undefined
        const member = port.member(
          {
            ...{ groupId: topic, sources: [{ topic, start: 'earliest' as const }], sessionTimeoutMs: 10_000 },
            ...{ heartbeatIntervalMs: 500, rebalanceTimeoutMs: 10_000, drainBudgetMs: 500 },
            ...{ maxBytesPerPartition: 1_000_000, maxBytesPerFetch: 4_000_000, maxFetchWaitMs: 100 },
          },
          {
            ...{ onAssigned: () => {}, onLost: () => {}, onState: () => {}, onFatal: error => assert.fail(error) },
            onRebalance: async () => {},
            onBlock(block, epoch) {
              read = Buffer.from(block.value(0)!)
              void member.commit([{ topic, partition: 0, epoch, offset: block.nextOffset }])
            },
          },
        )
        await member.start()
        await eventually('it is committed', async () => (await port.admin.committed(topic, topic))[0] === 1, 20_000)
        assert.deepEqual(read, value)
        await member.stop()
        await port.close()
      })
    }
  })

  describe('wrong credentials', { concurrency: 4 }, () => {
    const foreign = { cert: pem('otherClient'), key: pem('otherKey') }
    const tls = { ssl: trusting() }
    const named = listeners.tls.replace('127.0.0.1', 'localhost')
    const wrong: readonly (readonly [what: string, address: string, security: Security, told: RegExp])[] = [
      ['a wrong password, PLAIN', listeners.login, login('plain', 'x'), /Invalid username or password.*saslPassword/],
      [
        'a wrong password, SCRAM',
        listeners.login,
        login('scram-sha-256', 'x'),
        /SASL_AUTHENTICATION_FAILED.*saslPassword/,
      ],
      ['a wrong password, over TLS', listeners.secure, { ...tls, ...login('scram-sha-512', 'x') }, /saslPassword/],
      ['an expired token', listeners.login, bearer(-60), /refuses the token: .*invalid_token/],
      ['a mechanism that is not there', listeners.login, login('scram-sha-512'), /Set saslMechanism to one/],
      ['an unknown authority', listeners.tls, { ssl: trusting('otherCa') }, /tlsCaFile/],
      ['nobody to trust', listeners.tls, { ssl: {} }, /tlsCaFile/],
      ['another host name', named, tls, /Host: localhost.*brokers/],
      ['an expired certificate', listeners.expired, tls, /has expired.*clock/],
      ['no client certificate', listeners.mtls, tls, /alert.*tlsCertFile/],
      ['one of another authority', listeners.mtls, { ssl: { ...trusting(), ...foreign } }, /alert.*tlsCertFile/],
      ['TLS to a plain listener', listeners.plain, tls, /does not speak TLS.*tls to false/],
      ['TLS and a login to one without TLS', listeners.login, { ...tls, ...login('plain') }, /does not speak TLS/],
      ['no TLS to one that has it', listeners.tls, {}, /speaks TLS.*tls to true/],
      ['no TLS to one that wants certificates', listeners.mtls, {}, /speaks TLS.*tls to true/],
      ['a login without TLS', listeners.secure, login('scram-sha-512'), /speaks TLS.*tls to true/],
      ['no login', listeners.login, {}, /SASL \(PLAIN, SCRAM-SHA-256, OAUTHBEARER\).*saslMechanism/],
      ['no login over TLS', listeners.secure, tls, /SASL \(SCRAM-SHA-512\).*saslMechanism/],
      ['a login where there is none', listeners.plain, login('plain'), /has no SASL: leave saslMechanism out/],
      ['one over TLS where there is none', listeners.tls, { ...tls, ...login('plain') }, /has no SASL/],
    ]
    for (const [what, address, security, told] of wrong) {
      it(`${what}: refused within seconds, with what to look at`, async () => {
        const port = connect(address, security)
        const started = performance.now()
        await assert.rejects(port.admin.brokerCount(), (error: unknown) => {
          assert.ok(error instanceof RunInferenceError, String(error))
          assert.equal(error.code, 'AUTHORISATION', error.message)
          assert.match(error.message, told)
          assert.ok(!`${error.stack}${error.cause}`.includes(secrets.alice))
          return true
        })
        assert.ok(performance.now() - started < 10_000)
        await port.close()
      })
    }
  })

  it('a heartbeat that is refused ends the membership long before its session does, also while nothing is fetched', async () => {
    const sasl = { mechanism: 'scram-sha-512' as const, username: 'carol', password: secrets.carol }
    const port = connect(listeners.secure, { ssl: trusting(), sasl })
    const topic = `refused-${randomBytes(4).toString('hex')}`
    await port.admin.createTopics([{ name: topic, partitions: 1, replicationFactor: 1, configs: {} }])
    const fatal = Promise.withResolvers<RunInferenceError>()
    const member = port.member(
      {
        ...{ groupId: topic, sources: [{ topic, start: 'earliest' as const }], sessionTimeoutMs: 45_000 },
        ...{ heartbeatIntervalMs: 500, rebalanceTimeoutMs: 10_000, drainBudgetMs: 500 },
        ...{ maxBytesPerPartition: 1_000, maxBytesPerFetch: 1_000, maxFetchWaitMs: 100 },
      },
      {
        ...{ onAssigned: () => {}, onLost: () => {}, onState: () => {}, onBlock: () => {}, onFatal: fatal.resolve },
        onRebalance: async () => {},
      },
    )
    await member.start()
    member.pause({ topic, partition: 0 })
    const since = performance.now()
    await users.setScramPassword('carol', 'another one')
    const error = await fatal.promise
    await users.setScramPassword('carol', secrets.carol)
    assert.equal(error.code, 'AUTHORISATION')
    // Without it, the broker ends the connection behind its session, and what needs a new one is refused.
    assert.ok(performance.now() - since < 10_000)
    await member.stop()
    await port.close()
  })

  it('C3 a session of SASL is renewed on its connection, and requests that are under way there do not fail', async () => {
    const channel = new Channel(listeners.secure, {
      ...{ clientId: 'sessions', ssl: trusting(), connectionTimeoutMs: 5_000, requestTimeoutMs: 10_000 },
      ...{ sasl: saslSettings(login('scram-sha-512').sasl!), logger: kafkajsLogger(silentLogger) },
    })
    const since = performance.now()
    const ask = async () => {
      // Sessions are renewed after two seconds.
      while (performance.now() - since < 5_000) await channel.call('Metadata', { topics: ['.'] })
    }
    await Promise.all([ask(), ask(), ask(), ask()])
    channel.close()
  })

  it('L1 a connection that breaks during the login is an outage', async () => {
    // The third request is the password.
    const proxy = createServer(incoming => {
      const [host, port] = listeners.login.split(':') as [string, string]
      const onwards = connectTcp(Number(port), host)
      let requests = 0
      incoming.on('data', bytes => {
        if (++requests < 3) onwards.write(bytes)
        else incoming.destroy()
      })
      onwards.on('data', bytes => incoming.write(bytes))
      for (const socket of [incoming, onwards]) socket.on('error', () => {})
      incoming.on('close', () => onwards.destroy())
    })
    await new Promise<void>(resolve => proxy.listen(0, '127.0.0.1', resolve))
    const { port } = proxy.address() as { port: number }
    const client = createKafkaPort({
      ...{ brokers: [`127.0.0.1:${port}`], clientId: 'security', logger: silentLogger, clock: systemClock },
      ...{ random: Math.random, adminPatienceMs: 100, ...login('plain') },
    })
    await assert.rejects(client.admin.brokerCount(), /BROKER_UNAVAILABLE/)
    await client.close()
    proxy.close()
  })
}
