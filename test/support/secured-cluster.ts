/**
 * One broker with a listener of every kind, certificates and passwords of its own, and an authorizer that allows nothing
 * that is not granted. Files are made for it, in a folder that goes with it.
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Cluster } from '../../src/cluster/cluster.ts'
import { freePorts } from '../../src/cluster/ports.ts'
import { type Certificate, encryptedKey, makeCertificate } from './certificates.ts'
import { ownCluster } from './cluster.ts'
import { type KafkaUsers, kafkaUsers } from './kafka-users.ts'

/** `plain`: everybody is a super user there. */
export type ListenerName = 'plain' | 'tls' | 'mtls' | 'login' | 'secure' | 'expired'

/** User names with their passwords, made anew for each cluster. */
export interface Secrets {
  readonly alice: string
  /** Her password may be changed. */
  readonly carol: string
  readonly registry: string
  readonly keyPassword: string
}

export interface SecuredCluster {
  readonly skip: string | false
  readonly cluster: Cluster
  readonly listeners: Readonly<Record<ListenerName, string>>
  readonly secrets: Secrets
  /** Names of PEM files. */
  readonly files: Readonly<Record<(typeof FILES)[number], string>>
  readonly users: KafkaUsers
  /** A file of this folder with that content. */
  file(name: string, content: string): string
  stop(): Promise<void>
}

const FILES = [
  ...(['ca', 'otherCa', 'client', 'clientKey', 'encryptedKey', 'otherClient', 'otherKey', 'server'] as const),
  'serverKey',
] as const
const HOUR_MS = 3_600_000
/** kafkajs renews a session when ten seconds are left of it: here after two. */
const SESSION_MS = 12_000
const LOGIN = 'org.apache.kafka.common.security'

/** `plainUsers`: names of users of SASL PLAIN beside alice, with their name as password and no rights. */
export async function securedCluster({
  plainUsers = [],
  registry = false,
}: {
  readonly plainUsers?: readonly string[]
  readonly registry?: boolean
} = {}): Promise<SecuredCluster> {
  const folder = mkdtempSync(join(tmpdir(), 'kri-secured-'))
  const file = (name: string, content: string) => {
    const path = join(folder, name)
    writeFileSync(path, content, { mode: 0o600 })
    return path
  }
  const secrets = {
    ...{ alice: secret('alice'), carol: secret('carol'), registry: secret('registry'), keyPassword: secret('key') },
  }
  const ca = makeCertificate({ commonName: 'ca' })
  const otherCa = makeCertificate({ commonName: 'other ca' })
  const server = makeCertificate({ commonName: 'broker', issuer: ca, hosts: ['127.0.0.1'] })
  const valid = { fromMs: Date.now() - 48 * HOUR_MS, toMs: Date.now() - HOUR_MS }
  const expired = makeCertificate({ commonName: 'broker', issuer: ca, hosts: ['127.0.0.1'], valid })
  const client = makeCertificate({ commonName: 'client', issuer: ca })
  const otherClient = makeCertificate({ commonName: 'client', issuer: otherCa })
  const bundle = ({ key, cert }: Certificate) => `${key}${cert}`
  const files = {
    ca: file('ca.pem', ca.cert),
    otherCa: file('other-ca.pem', otherCa.cert),
    client: file('client.pem', client.cert),
    clientKey: file('client-key.pem', client.key),
    encryptedKey: file('encrypted-key.pem', encryptedKey(client, secrets.keyPassword)),
    otherClient: file('other-client.pem', otherClient.cert),
    otherKey: file('other-key.pem', otherClient.key),
    server: file('server.pem', bundle(server)),
    serverKey: file('server-key.pem', server.key),
  }
  const expiredFile = file('expired.pem', bundle(expired))
  const [tls, mtls, login, secure, outOfDate] = (await freePorts(5)) as [number, number, number, number, number]
  const added = [
    ['TLS', 'SSL', tls],
    ['MTLS', 'SSL', mtls],
    ['LOGIN', 'SASL_PLAINTEXT', login],
    ['SECURE', 'SASL_SSL', secure],
    ['EXPIRED', 'SSL', outOfDate],
  ] as const
  const addresses = added.map(([name, , port]) => `${name}://127.0.0.1:${port}`)
  const passwords = [['alice', secrets.alice], ...plainUsers.map(user => [user, user])]
  const cluster = await ownCluster({
    brokers: 1,
    registry,
    brokerProperties: base => ({
      ...base,
      listeners: [base.listeners, ...addresses].join(),
      'advertised.listeners': [base['advertised.listeners'], ...addresses].join(),
      'listener.security.protocol.map': [
        base['listener.security.protocol.map'],
        ...added.map(([name, protocol]) => `${name}:${protocol}`),
      ].join(),
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      // ANONYMOUS: who comes through a listener that asks nobody who he is, as the broker itself does.
      'super.users': 'User:ANONYMOUS;User:CN=client;User:alice;User:carol',
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': files.server,
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': files.ca,
      'listener.name.mtls.ssl.client.auth': 'required',
      'listener.name.expired.ssl.keystore.type': 'PEM',
      'listener.name.expired.ssl.keystore.location': expiredFile,
      'listener.name.login.sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,OAUTHBEARER',
      'listener.name.login.plain.sasl.jaas.config': `${LOGIN}.plain.PlainLoginModule required ${passwords
        .map(([user, password]) => `user_${user}="${password}"`)
        .join(' ')};`,
      'listener.name.login.scram-sha-256.sasl.jaas.config': `${LOGIN}.scram.ScramLoginModule required;`,
      'listener.name.login.oauthbearer.sasl.jaas.config': `${LOGIN}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`,
      'listener.name.secure.sasl.enabled.mechanisms': 'SCRAM-SHA-512',
      'listener.name.secure.scram-sha-512.sasl.jaas.config': `${LOGIN}.scram.ScramLoginModule required;`,
      'listener.name.secure.scram-sha-512.connections.max.reauth.ms': SESSION_MS,
    }),
  })
  const [plain = ''] = cluster.brokers
  const users = kafkaUsers([plain])
  if (cluster.skip === false) {
    await users.setScramPassword('alice', secrets.alice)
    await users.setScramPassword('carol', secrets.carol)
  }
  const at = (port: number) => `127.0.0.1:${port}`
  return {
    skip: cluster.skip,
    cluster,
    listeners: {
      ...{ plain, tls: at(tls), mtls: at(mtls), login: at(login), secure: at(secure), expired: at(outOfDate) },
    },
    secrets,
    files,
    users,
    file,
    async stop() {
      users.close()
      await cluster.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** To be found again in whatever is written. */
function secret(of: string): string {
  return `secret-${of}-${randomBytes(6).toString('hex')}`
}
