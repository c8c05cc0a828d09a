import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { writeState } from '../src/cluster/state-file.ts'
import { describeSettings, loadSettings } from '../src/load-settings.ts'
import { DEFAULT_RUN_SETTINGS } from '../src/run-settings.ts'
import { clusterEnvironment } from '../src/settings.ts'

const folder = mkdtempSync(join(tmpdir(), 'kri-settings-'))
after(() => rmSync(folder, { recursive: true }))

function file(content: unknown): string {
  const path = join(folder, 'kri.json')
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

describe('settings', () => {
  test('flags win over the environment, that over the file, that over defaults', () => {
    const configFile = file({ brokers: 'file:1', clientId: 'file', lanes: 7, commitIntervalMs: 5 })
    const env = { KRI_BROKERS: 'env:1', KRI_CLIENT_ID: 'env', KRI_LANES: '' }
    const settings = loadSettings({ flags: { brokers: 'flag:1,flag:2' }, env, configFile })
    assert.deepEqual(settings.brokers, ['flag:1', 'flag:2'])
    assert.equal(settings.clientId, 'env')
    assert.equal(settings.lanes, 7)
    assert.equal(settings.commitIntervalMs, 5)
    assert.equal(settings.maxFetchWaitMs, DEFAULT_RUN_SETTINGS.maxFetchWaitMs)
    assert.ok(Object.isFrozen(settings))
  })

  test('the defaults are those of a topology that is run from code', () => {
    const settings = loadSettings({ env: { KRI_BROKERS: 'a:1' } })
    for (const [name, value] of Object.entries(DEFAULT_RUN_SETTINGS))
      assert.deepEqual(Object(settings)[name], value, name)
  })

  test('all problems are told at once, with what was expected, got, and where it came from', () => {
    const configFile = file({ lanes: 0, nonsense: 1 })
    const env = { KRI_MAX_IN_FLIGHT_ROWS: 'many', KRI_SASL_MECHANISM: 'plain', KRI_LOG_LEVEL: 'loud' }
    assert.throws(
      () => loadSettings({ env, configFile, flags: { start: 'tuesday' } }),
      (error: Error) => {
        assert.match(error.message, /^\[SETTINGS_INVALID\]/)
        for (const text of [
          'brokers: it is missing, expected host:port of at least one broker, separated by commas, got nothing. Set --brokers or KRI_BROKERS',
          'kri.json): the value cannot be used, expected a whole number from 1 to 1024, got 0. Change it, or set --lanes or KRI_LANES',
          'there is no such setting. Known: brokers, ',
          'maxInFlightRows (KRI_MAX_IN_FLIGHT_ROWS): the value cannot be used, expected a whole number from 1, got "many"',
          'logLevel (KRI_LOG_LEVEL): the value cannot be used, expected debug, info, warn, error or silent, got "loud"',
          'start (--start): the value cannot be used',
          'kri cluster up',
          'saslPassword: it is missing, expected a password, since saslMechanism is set, got nothing',
        ])
          assert.ok(error.message.includes(text), `${text}\nis not in\n${error.message}`)
        return true
      },
    )
  })

  test('settings that contradict each other are refused', () => {
    const refused = (env: Record<string, string>, name: string) =>
      assert.throws(
        () => loadSettings({ env: { KRI_BROKERS: 'a:1', ...env } }),
        new RegExp(`\\b${name}( \\(\\w+\\))?: .*expected`),
        name,
      )
    refused({ KRI_HEARTBEAT_INTERVAL_MS: '20000' }, 'heartbeatIntervalMs')
    refused({ KRI_SASL_MECHANISM: 'plain' }, 'saslPassword')
    refused({ KRI_MIN_ISR: '2' }, 'minIsr')
    refused({ KRI_TLS_CA_FILE: 'ca.pem' }, 'tls')
    refused({ KRI_DRAIN_BUDGET_MS: '60000' }, 'drainBudgetMs')
    refused({ KRI_TLS: 'true', KRI_TLS_CERT_FILE: 'c.pem' }, 'tlsKeyFile')
  })

  test('a start position may be a time', () => {
    const settings = loadSettings({ env: { KRI_BROKERS: 'a:1', KRI_START: '2026-01-31T12:00:00Z' } })
    assert.deepEqual(settings.start, { timestampMs: Date.UTC(2026, 0, 31, 12) })
  })

  test('secrets are in no description and in no error', () => {
    const env = {
      KRI_BROKERS: 'a:1',
      KRI_SASL_MECHANISM: 'plain',
      KRI_SASL_USERNAME: 'me',
      KRI_SASL_PASSWORD: 'swordfish',
      KRI_REGISTRY_URL: 'http://user:swordfish@registry:8081',
      KRI_REGISTRY_USERNAME: 'me',
      KRI_REGISTRY_PASSWORD: 'swordfish',
    }
    const shown = JSON.stringify(describeSettings(loadSettings({ env })))
    assert.doesNotMatch(shown, /swordfish/)
    assert.match(shown, /"saslUsername":"me"/)
    assert.throws(
      () => loadSettings({ env: { ...env, KRI_REGISTRY_URL: 'ftp://u:swordfish@x' } }),
      (error: Error) => {
        assert.doesNotMatch(error.message, /swordfish/)
        return true
      },
    )
  })

  test('a settings file that is named must exist and be an object', () => {
    assert.throws(() => loadSettings({ configFile: join(folder, 'none.json'), env: {} }), /none\.json cannot be read/)
    assert.throws(() => loadSettings({ configFile: file('{'), env: {} }), /is not JSON/)
    assert.throws(() => loadSettings({ configFile: file('[]'), env: {} }), /expected a JSON object/)
  })

  test('without brokers it is said how to use the local cluster that runs, or to start one', () => {
    const env = { KRI_CACHE_FOLDER: folder }
    assert.throws(() => loadSettings({ env }), /; for a cluster on this machine: kri cluster up/)
    const brokers = ['127.0.0.1:1', '127.0.0.1:2']
    const address = { brokers, registryUrl: 'http://127.0.0.1:3', logFolder: folder, startedAt: '2026-01-01' }
    writeState(folder, { backend: 'docker', containers: {}, networkId: '', ...address })
    assert.throws(
      () => loadSettings({ env }),
      /; a local cluster is running: export KRI_BROKERS=127\.0\.0\.1:1,127\.0\.0\.1:2 KRI_REGISTRY_URL=http:\/\/127\.0\.0\.1:3/,
    )
    // Its folder names no process that lives.
    writeState(folder, { backend: 'jvm', folder, ...address })
    assert.throws(() => loadSettings({ env }), /; for a cluster on this machine: kri cluster up/)
  })

  test('a local cluster learns brokers, registry, cache and Java from the environment', () => {
    const given = clusterEnvironment({ KRI_BROKERS: 'a:1, b:2,', XDG_CACHE_HOME: '/x', JAVA_HOME: '/j' })
    assert.deepEqual(given.brokers, ['a:1', 'b:2'])
    assert.equal(given.cacheFolder, join('/x', 'kafka-run-inference'))
    assert.equal(given.java, join('/j', 'bin', 'java'))
    assert.equal(clusterEnvironment({ KRI_BROKERS: '' }).brokers, undefined)
  })
})
