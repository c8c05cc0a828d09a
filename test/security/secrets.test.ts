// Passwords: where they may come from, and that nothing shows them.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { commandOf } from '../../src/cli/commands.ts'
import { createProgram, usageError } from '../../src/cli/program.ts'
import { workerArguments } from '../../src/cli/worker-process.ts'
import { withoutCredentials } from '../../src/credentials.ts'
import { RunInferenceError } from '../../src/errors.ts'
import { describeSettings, loadSettings, visibleSecrets } from '../../src/load-settings.ts'
import { withoutVisibleSecrets } from '../../src/secret-settings.ts'
import { settingsHelp } from '../../src/settings-schema.ts'

const folder = mkdtempSync(join(tmpdir(), 'kri-secrets-'))
after(() => rmSync(folder, { recursive: true }))

const SECRET = 'swordfish-and-salt'
const LOGIN = { KRI_BROKERS: 'a:1', KRI_SASL_MECHANISM: 'plain', KRI_SASL_USERNAME: 'me' }

function file(name: string, content: string): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

function problem(sources: Parameters<typeof loadSettings>[0]): string {
  try {
    loadSettings(sources)
  } catch (error) {
    assert.ok(error instanceof RunInferenceError && error.code === 'SETTINGS_INVALID', String(error))
    assert.equal(error.problems.length, 1, error.message)
    return error.message
  }
  assert.fail('no problem')
}

describe('a secret in a file', () => {
  const cases = [
    [`${SECRET}\n`, SECRET],
    [`${SECRET}\r\n`, SECRET],
    [SECRET, SECRET],
    [`${SECRET}\n\n`, `${SECRET}\n`],
    [' with blanks ', ' with blanks '],
  ] as const
  for (const [content, secret] of cases) {
    it(`${JSON.stringify(content)} is ${JSON.stringify(secret)}`, () => {
      const path = file('password', content)
      const settings = loadSettings({ env: { ...LOGIN, KRI_SASL_PASSWORD_FILE: path } })
      assert.equal(settings.saslPassword, secret)
      const shown = describeSettings(settings)
      assert.deepEqual([shown.saslPassword, shown.saslPasswordFile], ['***', path])
    })
  }

  it('may be given for every secret', () => {
    const path = file('every', SECRET)
    const passwords = ['tlsKeyPassword', 'saslPassword', 'registryPassword'] as const
    const secrets = [...passwords, 'consoleToken', 'modelToken', 's3SecretAccessKey', 's3SessionToken'] as const
    const flags = Object.fromEntries(secrets.map(name => [`${name}File`, path]))
    const others = { KRI_REGISTRY_USERNAME: 'me', KRI_MODEL_TOKEN_ORIGIN: 'https://h', KRI_S3_ACCESS_KEY_ID: 'me' }
    const settings = loadSettings({ flags, env: { ...LOGIN, ...others } })
    for (const name of secrets) assert.equal(settings[name], SECRET, name)
    assert.ok(!JSON.stringify(describeSettings(settings)).includes(SECRET))
    const names = settingsHelp().map(({ name }) => name as string)
    assert.deepEqual(names.filter(name => names.includes(`${name}File`)).sort(), [...secrets].sort())
    assert.ok(
      names
        .filter(name => /password|token$|secret/i.test(name))
        .every(name => secrets.some(each => name.startsWith(each))),
    )
  })

  it('that is missing, empty or a folder is told once, with setting and file', () => {
    mkdirSync(join(folder, 'directory'))
    const wrong = { none: /cannot be read \(ENOENT\)/, [file('empty', '\n').slice(folder.length + 1)]: /is empty/ }
    for (const [name, reason] of Object.entries({ ...wrong, directory: /cannot be read \(EISDIR\)/ })) {
      const message = problem({ env: { ...LOGIN, KRI_SASL_PASSWORD_FILE: join(folder, name) } })
      assert.match(message, reason)
      assert.ok(message.includes(`saslPasswordFile (KRI_SASL_PASSWORD_FILE): ${join(folder, name)} `), message)
    }
  })

  it('and the secret itself from the same source are one too many', () => {
    const env = { ...LOGIN, KRI_SASL_PASSWORD_FILE: file('both', 'other'), KRI_SASL_PASSWORD: SECRET }
    const message = problem({ env })
    assert.match(message, /saslPasswordFile \(KRI_SASL_PASSWORD_FILE\): saslPassword \(KRI_SASL_PASSWORD\) is given/)
    assert.doesNotMatch(message, /swordfish|other/)
  })

  it('gives way to the secret from a source that wins, and the other way round', () => {
    const path = file('layers', 'of the file')
    const configFile = file('layers.json', JSON.stringify({ saslPasswordFile: path }))
    const password = (env: object, flags: object = {}) =>
      loadSettings({ configFile, env: { ...LOGIN, ...env }, flags: { ...flags } }).saslPassword
    assert.equal(password({}), 'of the file')
    assert.equal(password({ KRI_SASL_PASSWORD: 'of the environment' }), 'of the environment')
    const flags = { saslPasswordFile: file('flag', 'of the flag') }
    assert.equal(password({ KRI_SASL_PASSWORD: 'of the environment' }, flags), 'of the flag')
    assert.equal(password({ KRI_SASL_PASSWORD_FILE: path }, { saslPassword: 'given' }), 'given')
  })

  it('is named where a password is missing', () => {
    assert.match(problem({ env: LOGIN }), /saslPassword: it is missing.* KRI_SASL_PASSWORD_FILE/)
  })
})

describe('a secret is not shown', () => {
  it('by what is said of a settings file that is no JSON', () => {
    for (const text of [`{"saslPassword": "${SECRET}" "a": 1}`, `{"saslPassword": ${SECRET}}`, `${SECRET}`, '{']) {
      const message = (() => {
        try {
          loadSettings({ configFile: file('broken.json', text), env: {} })
        } catch (error) {
          return (error as Error).message
        }
        return ''
      })()
      assert.match(message, /broken\.json is not JSON/)
      assert.doesNotMatch(message, /sword|fish/)
    }
  })

  it('by what is said of a bad URL, wherever the password stands in it', () => {
    for (const url of [`u:${SECRET}@registry:8081`, `http//u:${SECRET}@x`, `http://u:a/${SECRET}@x`, `u@x:${SECRET}@y`])
      assert.doesNotMatch(problem({ env: { KRI_BROKERS: 'a:1', KRI_REGISTRY_URL: url } }), /swordfish/, url)
    const configFile = file('brokers.json', JSON.stringify({ brokers: [`http://u:${SECRET}@x`] }))
    assert.doesNotMatch(problem({ configFile, env: {} }), /swordfish/)
    assert.equal(withoutCredentials('see http://u:p@ss@x/a and http://y/b@c'), 'see http://***@x/a and http://y/b@c')
  })

  it('by what is said of a flag whose name is misspelt', async () => {
    for (const words of [
      ['run', 't.ts', `--sasl-pasword=${SECRET}`],
      ['describe', `--pw=it's ${SECRET}'s`],
    ]) {
      let written = ''
      const output = {
        writeErr(text: string) {
          written += text
        },
      }
      const settings = commandOf(words)?.settings === undefined ? [] : settingsHelp()
      const program = createProgram({ version: '', settings, output })
      const error = await program.parseAsync(words, { from: 'user' }).catch((thrown: unknown) => thrown)
      assert.match(usageError(error)!.message, /unknown option '--(sasl-pasword|pw)'/)
      assert.doesNotMatch(usageError(error)!.message + written, /swordfish/)
      assert.match(written, /unknown option/)
    }
  })

  it('in the arguments of worker processes; they get it in their environment', () => {
    const url = `https://u:${SECRET}@registry`
    const given = { saslPassword: SECRET, registryUrl: url, saslUsername: 'me', tlsKeyPasswordFile: '/run/secrets/key' }
    const inherited = { PATH: '/bin', KRI_SASL_PASSWORD: 'before', KRI_SASL_PASSWORD_FILE: '/before' }
    const { flags, env } = withoutVisibleSecrets(given, inherited)
    assert.deepEqual(env, { PATH: '/bin', KRI_SASL_PASSWORD: SECRET, KRI_REGISTRY_URL: url })
    const words = workerArguments('t.ts', flags, { index: 0, lanes: 1, http: false }).join(' ')
    assert.doesNotMatch(words, /swordfish/)
    assert.match(words, /--sasl-username=me .*--tls-key-password-file=\/run\/secrets\/key/)
    const own = { flags: { saslMechanism: 'plain', ...flags }, env: { KRI_BROKERS: 'a:1', ...env } }
    assert.equal(loadSettings({ ...own, flags: { ...own.flags, tlsKeyPasswordFile: undefined } }).saslPassword, SECRET)
  })

  it('on the command line without a warning that says what to do instead', () => {
    const flags = { saslPassword: SECRET, registryUrl: `http://u:${SECRET}@x`, saslUsername: 'me', lanes: 3 }
    const [password, url, ...others] = visibleSecrets(flags)
    assert.deepEqual(others, [])
    assert.deepEqual([password!.where, url!.where], ['--sasl-password', '--registry-url'])
    assert.match(password!.remedy, /--sasl-password-file or KRI_SASL_PASSWORD_FILE, or into KRI_SASL_PASSWORD$/)
    assert.match(url!.remedy, /KRI_REGISTRY_URL/)
    assert.doesNotMatch(JSON.stringify([password, url]), /swordfish/)
    assert.deepEqual(visibleSecrets({ registryUrl: 'http://x', saslPasswordFile: '/x' }), [])
  })
})
