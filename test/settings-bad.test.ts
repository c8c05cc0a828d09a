// Every setting with values that are out of range or contradict another: the message says what, where, expected, got, what to do.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { withoutCredentials } from '../src/credentials.ts'
import { RunInferenceError } from '../src/errors.ts'
import { loadSettings } from '../src/load-settings.ts'
import type { Problem } from '../src/problem.ts'
import { settingFlag, settingVariable } from '../src/settings-names.ts'
import { type SettingName, settingsHelp } from '../src/settings-schema.ts'

const folder = mkdtempSync(join(tmpdir(), 'kri-bad-settings-'))
after(() => rmSync(folder, { recursive: true }))

/** Values that each setting must refuse, as text, the way flags and the environment give them. */
const refused: Readonly<Record<SettingName, readonly string[]>> = {
  brokers: ['kafka', 'kafka:', ':9092', 'kafka:many', 'a:1,,b:2', 'http://kafka:9092'],
  clientId: [''],
  tls: ['yes', '1', 'TRUE'],
  tlsCaFile: [''],
  tlsCertFile: [''],
  tlsKeyFile: [''],
  tlsKeyPassword: [''],
  tlsKeyPasswordFile: [''],
  saslMechanism: ['gssapi', 'PLAINTEXT', ''],
  saslUsername: [''],
  saslPassword: [''],
  saslPasswordFile: [''],
  registryUrl: ['registry:8081', 'ftp://registry', 'http//x'],
  registryCaFile: [''],
  registryCertFile: [''],
  registryKeyFile: [''],
  registryUsername: [''],
  registryPassword: [''],
  registryPasswordFile: [''],
  logLevel: ['loud', 'trace', 'INFO'],
  lanes: ['0', '-1', '1.5', 'all', '1025', ' '],
  maxInFlightRows: ['0', '-5', 'many', '1e99', '1.5'],
  maxInFlightBytes: ['1023', '64MiB', '-1'],
  processingGuarantee: ['exactly-once', 'none', ''],
  commitIntervalMs: ['0', '1s', '-1'],
  transactionTimeoutMs: ['999', '15s'],
  drainBudgetMs: ['-1', 'soon', '0.5'],
  shutdownBudgetMs: ['-1', 'never'],
  sessionTimeoutMs: ['999', '45s', '-1'],
  heartbeatIntervalMs: ['49', '0', 'often'],
  rebalanceTimeoutMs: ['999', 'x'],
  maxBytesPerPartition: ['0', '1MB'],
  maxFetchWaitMs: ['-1', 'x'],
  stallMs: ['999', '30s'],
  stuckMs: ['999', 'x'],
  floodRatio: ['-0.1', '1.1', 'half', ''],
  floodWindowMs: ['999', '1m'],
  floodMinRecords: ['0', 'x', '1.5'],
  start: ['beginning', 'tuesday', '2026-13-45', '0', ''],
  httpHost: [''],
  httpPort: ['65536', '-1', 'none', '80.5'],
  console: ['yes', 'true', ''],
  consoleHosts: ['kri:8080', 'a,', 'http://kri', 'a b', ''],
  consoleToken: ['', 'fifteen-letters', 'sixteen and spaces'],
  consoleTokenFile: [''],
  modelRoots: ['', 'a,', 'gs://bucket', 'https://u:p@h/x', 'https://h/x?y', 's3://B', 'ftp://h'],
  replayTargets: ['', 'a,', 'a b', 'a/b', '..'],
  maxModelBytes: ['0', '2GB', '-1'],
  modelFetchTimeoutMs: ['999', '5m'],
  modelLoadTimeoutMs: ['0', '5m'],
  trialWindowMs: ['999', '1m'],
  modelCacheFolder: [''],
  maxModelCacheBytes: ['-1', 'all'],
  modelToken: [''],
  modelTokenFile: [''],
  modelTokenOrigin: ['models.example.com', 'https://h/path', 'https://u:p@h', 'ftp://h', ''],
  s3Endpoint: ['minio:9000', 'https://u:p@h', 'https://h/?x', 's3://bucket', ''],
  s3Region: [''],
  s3Addressing: ['host', 'PATH', ''],
  s3AccessKeyId: [''],
  s3SecretAccessKey: [''],
  s3SecretAccessKeyFile: [''],
  s3SessionToken: [''],
  s3SessionTokenFile: [''],
  partitions: ['0', 'x', '-1'],
  replicationFactor: ['0', '101', 'x'],
  minIsr: ['0', '101', 'x'],
}

/** Values that are right by themselves and wrong together: the setting that is named, and with what. */
const contradictions: readonly (readonly [SettingName, Readonly<Record<string, string>>, RegExp])[] = [
  ['heartbeatIntervalMs', { heartbeatIntervalMs: '20000' }, /a third of sessionTimeoutMs \(45000\)/],
  ['heartbeatIntervalMs', { sessionTimeoutMs: '1000' }, /a third of sessionTimeoutMs \(1000\)/],
  ['drainBudgetMs', { drainBudgetMs: '60000' }, /less than rebalanceTimeoutMs \(60000\)/],
  ['minIsr', { minIsr: '2' }, /at most replicationFactor \(1\)/],
  ['saslUsername', { saslMechanism: 'plain', saslPassword: 'p' }, /a user name/],
  ['saslPassword', { saslMechanism: 'plain', saslUsername: 'u' }, /a password/],
  ['registryPassword', { registryUsername: 'u' }, /a password/],
  ['tlsKeyFile', { tls: 'true', tlsCertFile: 'c.pem' }, /both tlsCertFile and tlsKeyFile/],
  ['tls', { tlsCaFile: 'ca.pem' }, /true, since certificates are given/],
  [
    'registryKeyFile',
    { registryUrl: 'https://r', registryCertFile: 'c.pem' },
    /both registryCertFile and registryKeyFile/,
  ],
  ['modelTokenOrigin', { modelToken: 't' }, /both modelToken and modelTokenOrigin/],
  ['modelTokenOrigin', { modelTokenOrigin: 'https://h' }, /both modelToken and modelTokenOrigin/],
  ['s3SecretAccessKey', { s3AccessKeyId: 'k' }, /both s3AccessKeyId and s3SecretAccessKey/],
  ['s3SessionToken', { s3SessionToken: 't' }, /none without s3AccessKeyId/],
  ['registryUrl', { registryUrl: 'http://r', registryCaFile: 'c.pem' }, /one that begins with https/],
]

function problemsOf(sources: Parameters<typeof loadSettings>[0]): readonly Problem[] {
  try {
    loadSettings({ env: {}, ...sources })
  } catch (error) {
    assert.ok(error instanceof RunInferenceError && error.code === 'SETTINGS_INVALID', String(error))
    for (const { what } of error.problems) assert.ok(error.message.includes(what), what)
    return error.problems
  }
  return []
}

describe('settings that are wrong', () => {
  test('are in this table, all of them', () => {
    assert.deepEqual(
      Object.keys(refused).sort(),
      settingsHelp()
        .map(({ name }) => name)
        .sort(),
    )
  })

  for (const [name, values] of Object.entries(refused)) {
    for (const value of values) {
      test(`${name} = ${JSON.stringify(value)}, as a flag, says what was expected and how to set it`, () => {
        const flags = { brokers: 'a:1', [name]: value }
        const problems = problemsOf({ flags }).filter(({ where }) => where === `${name} (${settingFlag(name)})`)
        assert.equal(problems.length, 1, JSON.stringify(problemsOf({ flags })))
        const [{ expected, got, remedy }] = problems as [Problem]
        assert.ok(expected !== undefined && expected.length > 3)
        assert.ok(got === withoutCredentials(JSON.stringify(value)) || got === '"***"', got)
        assert.ok(remedy.includes(settingFlag(name)) && remedy.includes(settingVariable(name)))
      })
    }
  }

  for (const [name, given, expected] of contradictions) {
    test(`${Object.keys(given).join(' and ')}: ${name} is named, with what it must fit`, () => {
      const [problem, ...others] = problemsOf({ flags: { brokers: 'a:1', ...given } })
      assert.deepEqual(others, [])
      assert.ok(problem!.where.startsWith(name), problem!.where)
      assert.match(problem!.expected!, expected)
    })
  }

  test('do not hide those that contradict each other, and are not compared with others themselves', () => {
    const flags = { lanes: '0', minIsr: '3', tlsCertFile: '', tlsKeyFile: 'key.pem' }
    const names = problemsOf({ flags }).map(({ where }) => where.split(' ')[0])
    assert.deepEqual(names.sort(), ['brokers', 'lanes', 'minIsr', 'tlsCertFile'])
  })

  for (const [typo, meant] of [
    ['maxInflightRows', 'maxInFlightRows'],
    ['broker', 'brokers'],
    ['commitIntervallMs', 'commitIntervalMs'],
    ['hearbeatIntervalMs', 'heartbeatIntervalMs'],
    ['LANES', 'lanes'],
  ] as const) {
    test(`the unknown name ${typo} in a file leads to ${meant}`, () => {
      const configFile = join(folder, `${typo}.json`)
      writeFileSync(configFile, JSON.stringify({ brokers: 'a:1', [typo]: 1 }))
      const [problem] = problemsOf({ configFile })
      assert.equal(problem!.where, `${typo} (${configFile})`)
      assert.equal(problem!.remedy, `Did you mean ${meant}?`)
    })
  }
})
