/** Settings from a file, the environment and flags; secrets must not come back in any message. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeSettings, loadSettings, strayVariables } from '../../src/load-settings.ts'
import { clusterEnvironment } from '../../src/settings.ts'
import { settingVariable } from '../../src/settings-names.ts'
import { settingsHelp } from '../../src/settings-schema.ts'
import { must, type Target, type TargetSource } from '../target.ts'

/** In every secret of the seeds. */
const SECRET = 'Geheimnis'
const FILE = `{"brokers":"a:1","saslMechanism":"plain","saslUsername":"u","saslPassword":"${SECRET}","registryUrl":"http://u:${SECRET}@h:1","lanes":2}`
const SEEDS = [
  FILE,
  '{"brokers":["a:1","[::1]:2"],"start":"2026-01-31T12:00:00Z","httpPort":"off","tls":"true","tlsCaFile":"ca.pem","floodRatio":0.5}',
  `\0--brokers=a:1,b:2\n--lanes=3\n--start=latest\nKRI_SASL_MECHANISM=plain\nKRI_SASL_USERNAME=u\nKRI_SASL_PASSWORD=${SECRET}`,
  `{}\0KRI_BROKERS=a:1\nKRI_REGISTRY_URL=https://u:${SECRET}@h\nKRI_HTTP_PORT=0\nKRI_S3_ACCESS_KEY_ID=k\nKRI_S3_SECRET_ACCESS_KEY=${SECRET}\n--model-roots=/m,s3://bucket/p\nKRI_CLUSTER=jvm\n--processing-guarantee=exactly_once\n--min-isr=2`,
]

/** A file, a zero byte, and lines `--flag=value` or `VARIABLE=value`. */
function split(bytes: Buffer): { file: Buffer; flags: Record<string, unknown>; env: Record<string, string> } {
  const cut = bytes.indexOf(0)
  const lines = cut < 0 ? [] : bytes.toString('utf8', cut + 1).split('\n')
  const flags: Record<string, unknown> = {}
  const env: Record<string, string> = {}
  for (const line of lines) {
    const at = line.indexOf('=')
    const name = at < 0 ? line : line.slice(0, at)
    const value = at < 0 ? true : line.slice(at + 1)
    if (name.startsWith('--'))
      flags[name.slice(2).replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())] = value
    else if (value !== true) env[name] = value
  }
  return { file: bytes.subarray(0, cut < 0 ? bytes.length : cut), flags, env }
}

export const settings: TargetSource = {
  name: 'settings',
  about: 'settings files, environment and flags',
  open(): Target {
    const folder = mkdtempSync(join(tmpdir(), 'kri-fuzz-'))
    const configFile = join(folder, 'kri.json')
    // What a killed process leaves is the folder of one small file.
    process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
    let content = Buffer.alloc(0)
    writeFileSync(configFile, content)
    const keepsSecret = (text: string) => must(!text.includes(SECRET), 'a secret came back in a message')
    return {
      seeds: SEEDS.map(text => Buffer.from(text)),
      tokens: [
        ...settingsHelp().flatMap(({ name }) => [`"${name}":`, `${settingVariable(name)}=`]),
        ...[
          SECRET,
          '"',
          ',',
          '{',
          '}',
          'null',
          'true',
          '-1',
          '1e400',
          '0x10',
          ' 7 ',
          '"__proto__":',
          '"constructor":',
          '\n',
          '\u0000',
          ':99999',
          '//',
          '@',
        ],
      ].map(token => Buffer.from(token)),
      codes: ['SETTINGS_INVALID'],
      run(bytes) {
        const all = split(bytes)
        const { file, flags, env } = all
        if (!file.equals(content)) {
          writeFileSync(configFile, file)
          content = Buffer.from(file)
        }
        // Whether a cluster runs on this machine is no part of the input.
        const own = { ...env, KRI_CACHE_FOLDER: folder }
        strayVariables(own)
        try {
          const loaded = loadSettings({ flags, configFile, env: own })
          must(Object.isFrozen(loaded), 'settings are frozen')
          if (!isMisplaced(all)) keepsSecret(JSON.stringify(describeSettings(loaded)))
          clusterEnvironment(own)
        } catch (error) {
          // A value that is told may hold anything; one that is named as a secret may not be told.
          if (!isMisplaced(all)) keepsSecret((error as Error).message)
          throw error
        }
      },
      async close() {
        rmSync(folder, { recursive: true, force: true })
      },
    }
  },
}

const IN_A_URL = `//u:${SECRET}@`
const URLS = ['registryUrl', 'KRI_REGISTRY_URL']
const SECRETS =
  /^((sasl|registry|tlsKey)Password|modelToken|s3SecretAccessKey|s3SessionToken)$|^KRI_((SASL|REGISTRY|TLS_KEY)_PASSWORD|MODEL_TOKEN|S3_SECRET_ACCESS_KEY|S3_SESSION_TOKEN)$/

/** The secret stands where nobody can know that it is one. A file that is no JSON is no such place: nothing of it may be told. */
function isMisplaced({ file, flags, env }: ReturnType<typeof split>): boolean {
  let values: unknown
  try {
    values = JSON.parse(file.toString())
  } catch {
    values = undefined
  }
  return [values, flags, env].some(given =>
    Object.entries(given ?? {}).some(([name, value]) => {
      if (SECRETS.test(name)) return false
      const text = `${name}${JSON.stringify(value)}`
      // A user and password in a URL are secrets too, where a URL belongs.
      return (URLS.includes(name) ? text.replace(IN_A_URL, '') : text).includes(SECRET)
    }),
  )
}
