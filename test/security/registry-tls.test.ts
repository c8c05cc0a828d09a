// A schema registry behind TLS and basic auth: what is right works, and what is wrong is told at once, not tried for ever.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import { createSchemaRegistry, type SchemaRegistryOptions } from '../../src/kafka/schema-registry.ts'
import { makeCertificate } from '../support/certificates.ts'
import { type FakeRegistryServer, startFakeRegistry } from '../support/fake-registry-server.ts'
import { type HttpsFront, startHttpsFront } from '../support/https-front.ts'

const HOUR_MS = 3_600_000
const ca = makeCertificate({ commonName: 'ca' })
const otherCa = makeCertificate({ commonName: 'other ca' })
const hosts = ['127.0.0.1']
const server = makeCertificate({ commonName: 'registry', issuer: ca, hosts })
const valid = { fromMs: Date.now() - 2 * HOUR_MS, toMs: Date.now() - HOUR_MS }
const expired = makeCertificate({ commonName: 'registry', issuer: ca, hosts, valid })
const client = makeCertificate({ commonName: 'client', issuer: ca })
const otherClient = makeCertificate({ commonName: 'client', issuer: otherCa })
const own = ({ cert, key }: typeof client) => ({ cert, key })
const auth = { username: 'reader', password: 'a secret: swordfish' }

describe('a registry behind TLS', () => {
  let registry: FakeRegistryServer
  let fronts: Record<'tls' | 'mtls' | 'expired', HttpsFront>
  before(async () => {
    registry = await startFakeRegistry()
    fronts = {
      tls: await startHttpsFront(registry.url, own(server), auth),
      mtls: await startHttpsFront(registry.url, { ...own(server), ca: ca.cert }, auth),
      expired: await startHttpsFront(registry.url, own(expired), auth),
    }
  })
  after(async () => {
    for (const front of Object.values(fronts)) await front.close()
    await registry.close()
  })

  const url = (name: keyof typeof fronts, host = '127.0.0.1', scheme = 'https') =>
    `${scheme}://${host}:${fronts[name].port}`
  const register = (options: SchemaRegistryOptions) => createSchemaRegistry(options).register('s-value', '"string"')

  it('is used with the authority that signed its certificate, and with our certificate where it wants one', async () => {
    const id = await register({ url: url('tls'), auth, tls: { ca: ca.cert } })
    assert.equal(await register({ url: url('mtls'), auth, tls: { ca: ca.cert, ...own(client) } }), id)
  })

  const wrong: readonly (readonly [what: string, options: () => SchemaRegistryOptions, told: RegExp])[] = [
    ['an unknown authority', () => ({ url: url('tls'), auth }), /registryCaFile/],
    ['another authority', () => ({ url: url('tls'), auth, tls: { ca: otherCa.cert } }), /registryCaFile/],
    ['another name', () => ({ url: url('tls', 'localhost'), auth, tls: { ca: ca.cert } }), /localhost.*registryUrl/],
    ['an expired certificate', () => ({ url: url('expired'), auth, tls: { ca: ca.cert } }), /expired.*clock/],
    ['no certificate of ours', () => ({ url: url('mtls'), auth, tls: { ca: ca.cert } }), /alert.*registryCertFile/],
    ['no password', () => ({ url: url('tls'), tls: { ca: ca.cert } }), /401/],
    ['a wrong one', () => ({ url: url('tls'), auth: { ...auth, password: 'x' }, tls: { ca: ca.cert } }), /401/],
    [
      'TLS where there is none',
      () => ({ url: registry.url.replace('http:', 'https:'), auth, tls: { ca: ca.cert } }),
      /does not speak TLS.*registryUrl/,
    ],
  ]
  for (const [what, options, told] of wrong) {
    it(`${what} is refused, and not tried again`, async () => {
      const started = performance.now()
      await assert.rejects(register(options()), (error: unknown) => {
        assert.ok(error instanceof RunInferenceError)
        assert.deepEqual([error.code, error.retriable], ['AUTHORISATION', false], error.message)
        assert.match(error.message, told)
        assert.doesNotMatch(String(error.stack) + String(error.cause), /swordfish/)
        return true
      })
      assert.ok(performance.now() - started < 5_000)
    })
  }

  it('a connection that is ended without a word is an outage, and what to look at is said', async () => {
    const untrusted = register({ url: url('mtls'), auth, tls: { ca: ca.cert, ...own(otherClient) } })
    await assert.rejects(untrusted, /UNAVAILABLE.*whether it takes our certificate/)
    await assert.rejects(
      register({ url: url('tls', '127.0.0.1', 'http'), auth }),
      /UNAVAILABLE.*whether it expects https/,
    )
  })

  it('a page that a gateway shows in its place is an outage, whatever it says, but for a missing certificate', async () => {
    let page = '<html>400 Bad Request: alert(certificate)</html>'
    const gateway = createServer((_, response) => response.writeHead(400, { 'content-type': 'text/html' }).end(page))
    await new Promise<void>(resolve => gateway.listen(0, '127.0.0.1', resolve))
    const at = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`
    await assert.rejects(register({ url: at }), /REGISTRY_UNAVAILABLE/)
    page = '<html>400 No required SSL certificate was sent</html>'
    await assert.rejects(register({ url: at }), /AUTHORISATION.*registryCertFile/)
    gateway.close()
  })
})
