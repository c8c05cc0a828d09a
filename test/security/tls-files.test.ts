// Certificates and keys are looked at before anything is connected: what is wrong with them names setting and file.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { readTlsFiles, type TlsFiles } from '../../src/cli/tls-files.ts'
import { RunInferenceError } from '../../src/errors.ts'
import { encryptedKey, makeCertificate } from '../support/certificates.ts'

const folder = mkdtempSync(join(tmpdir(), 'kri-tls-files-'))
after(() => rmSync(folder, { recursive: true }))

const ca = makeCertificate({ commonName: 'ca' })
const client = makeCertificate({ commonName: 'client', issuer: ca })
const other = makeCertificate({ commonName: 'other', issuer: ca })
const PASSWORD = 'open sesame'

const texts = {
  ca: ca.cert,
  bundle: `# the authorities\n${ca.cert}${other.cert}`,
  cert: client.cert,
  key: client.key,
  otherKey: other.key,
  encrypted: encryptedKey(client, PASSWORD),
  both: `${client.key}${client.cert}`,
  empty: '',
  text: 'not PEM at all',
  broken: ca.cert.replace(/^M.{20}/m, 'M'),
  half: `${ca.cert}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`,
  brokenKey: client.key.replace(/^M.{8}/m, 'M'),
}
const path = (name: string) => join(folder, `${name}.pem`)
for (const [name, text] of Object.entries(texts)) writeFileSync(path(name), text)

function read(names: { ca?: string; cert?: string; key?: string }, password?: string): TlsFiles {
  const named = (setting: string, name: string | undefined) => ({ setting, path: name && path(name) })
  return readTlsFiles({
    ca: named('tlsCaFile', names.ca),
    cert: named('tlsCertFile', names.cert),
    key: named('tlsKeyFile', names.key),
    password,
  })
}

describe('certificates and keys', () => {
  it('are read as they are', () => {
    assert.deepEqual(read({}), {})
    assert.deepEqual(read({ ca: 'bundle' }), { ca: texts.bundle })
    assert.deepEqual(read({ ca: 'ca', cert: 'cert', key: 'key' }), { ca: texts.ca, cert: texts.cert, key: texts.key })
    assert.deepEqual(read({ cert: 'both', key: 'both' }), { cert: texts.both, key: texts.both })
    const encrypted = { cert: texts.cert, key: texts.encrypted, passphrase: PASSWORD }
    assert.deepEqual(read({ cert: 'cert', key: 'encrypted' }, PASSWORD), encrypted)
  })

  const wrong: readonly (readonly [names: Parameters<typeof read>[0], password: string | undefined, told: RegExp])[] = [
    [{ ca: 'none' }, undefined, /tlsCaFile \(.*none\.pem\).*none that can be read \(ENOENT\)/],
    [{ ca: 'empty' }, undefined, /tlsCaFile \(.*empty\.pem\).*got a file without "-----BEGIN CERTIFICATE-----"/],
    [{ ca: 'text' }, undefined, /tlsCaFile \(.*text\.pem\)/],
    [{ ca: 'key' }, undefined, /tlsCaFile \(.*key\.pem\).*expected certificates in PEM/],
    [{ ca: 'broken' }, undefined, /tlsCaFile \(.*broken\.pem\).*no certificate behind its first line/],
    [{ ca: 'half' }, undefined, /tlsCaFile \(.*half\.pem\).*no certificate behind its first line/],
    [{ cert: 'text', key: 'key' }, undefined, /tlsCertFile \(.*text\.pem\)/],
    [{ cert: 'cert', key: 'none' }, undefined, /tlsKeyFile \(.*none\.pem\).*a private key in PEM/],
    [{ cert: 'cert', key: 'cert' }, undefined, /tlsKeyFile \(.*cert\.pem\).*without "-----BEGIN PRIVATE KEY-----"/],
    [{ cert: 'cert', key: 'brokenKey' }, undefined, /tlsKeyFile \(.*brokenKey\.pem\).*a key that cannot be read/],
    [
      { cert: 'cert', key: 'otherKey' },
      undefined,
      /tlsKeyFile .*key of the first certificate of .*cert\.pem \(tlsCert/,
    ],
    [{ cert: 'cert', key: 'encrypted' }, undefined, /tlsKeyFile .*an encrypted one\. Set tlsKeyPasswordFile/],
    [{ cert: 'cert', key: 'encrypted' }, 'wrong', /tlsKeyFile .*tlsKeyPassword does not open\. Correct tlsKeyPassword/],
  ]
  for (const [names, password, told] of wrong) {
    const what = Object.entries(names).map(([part, name]) => `${part} = ${name}`)
    it(`${what.join(', ')}${password === undefined ? '' : ` with the password ${password}`} cannot be used`, () => {
      assert.throws(
        () => read(names, password),
        (error: unknown) => {
          assert.ok(error instanceof RunInferenceError && error.code === 'SETTINGS_INVALID', String(error))
          assert.equal(error.problems.length, 1, error.message)
          assert.match(error.message, told)
          assert.doesNotMatch(error.message, /open sesame|wrong\b/)
          return true
        },
      )
    })
  }

  it('are told together', () => {
    assert.throws(
      () => read({ ca: 'none', cert: 'text', key: 'cert' }),
      /3 problems:.*tlsCaFile.*tlsCertFile.*tlsKeyFile/s,
    )
  })
})
