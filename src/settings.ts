/**
 * Where settings come from: flags, then the environment (KRI_…), then a file (kri.json), then defaults. The only file that
 * reads the environment.
 */
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { RunInferenceError } from './errors.ts'
import { settingFlag, settingVariable } from './settings-names.ts'
import { parseSettings, type SettingName, type Settings, settingsHelp } from './settings-schema.ts'

export type { Settings } from './settings-schema.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Looked for in the working directory; may be missing, unless `--config` names another. */
const SETTINGS_FILE = 'kri.json'
const SECRETS: readonly SettingName[] = ['saslPassword', 'registryPassword']
const MASK = '***'

export interface SettingsSources {
  /** By setting name; undefined = not given. */
  readonly flags?: Readonly<Record<string, unknown>>
  /** A settings file that must exist; default: kri.json if there is one. */
  readonly configFile?: string | undefined
  /** Default: the environment of this process. */
  readonly env?: Environment
}

/** Settings from all sources, frozen. Throws SETTINGS_INVALID with every problem, naming where each value came from. */
export function loadSettings(sources: SettingsSources = {}): Settings {
  const env = sources.env ?? process.env
  const given = new Map<string, { readonly value: unknown; readonly origin: string }>()
  const file = sources.configFile ?? SETTINGS_FILE
  for (const [name, value] of Object.entries(readFile(file, sources.configFile !== undefined)))
    given.set(name, { value, origin: file })
  for (const { name } of settingsHelp()) {
    const variable = settingVariable(name)
    // An empty variable is how compose files and charts say "not set".
    if (env[variable] !== undefined && env[variable] !== '') given.set(name, { value: env[variable], origin: variable })
    const flag = sources.flags?.[name]
    if (flag !== undefined) given.set(name, { value: flag, origin: settingFlag(name) })
  }
  const parsed = parseSettings(Object.fromEntries([...given].map(([name, { value }]) => [name, value])))
  if ('settings' in parsed) return parsed.settings
  const problems = parsed.problems.map(({ name, expected }) => {
    const source = given.get(name)
    if (source !== undefined) return `${name}: expected ${expected}, got ${show(name, source.value)} (${source.origin})`
    return `${name}: expected ${expected}, got nothing (set ${settingVariable(name)} or ${settingFlag(name)})`
  })
  const remedy = given.has('brokers') ? '' : '\n  For a cluster on this machine: kri cluster up'
  throw new RunInferenceError('SETTINGS_INVALID', `${problems.join('\n  ')}${remedy}`)
}

/** The settings for a log line: secrets are masked, and user names and passwords inside URLs too. */
export function describeSettings(settings: Settings): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, masked(name, value)]))
}

function masked(name: string, value: unknown): unknown {
  if (value === undefined) return undefined
  if (SECRETS.includes(name as SettingName)) return MASK
  return typeof value === 'string' ? value.replace(/\/\/[^/@]*@/, `//${MASK}@`) : value
}

function show(name: string, value: unknown): string {
  return JSON.stringify(masked(name, value)) ?? String(value)
}

function readFile(file: string, required: boolean): Record<string, unknown> {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if (!required && (error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw RunInferenceError.from(error, 'SETTINGS_INVALID', `the settings file ${file} cannot be read`)
  }
  try {
    const values: unknown = JSON.parse(text)
    if (typeof values === 'object' && values !== null && !Array.isArray(values))
      return values as Record<string, unknown>
  } catch (error) {
    throw RunInferenceError.from(error, 'SETTINGS_INVALID', `the settings file ${file} is not JSON`)
  }
  throw new RunInferenceError('SETTINGS_INVALID', `the settings file ${file}: expected a JSON object of settings`)
}

/** What a local cluster is told by the environment. */
export interface ClusterEnvironment {
  /** KRI_BROKERS: brokers that run already. */
  readonly brokers?: readonly string[]
  /** KRI_REGISTRY_URL: a registry that runs already. */
  readonly registryUrl?: string
  /** KRI_CACHE_FOLDER, else XDG_CACHE_HOME/kafka-run-inference, else ~/.cache/kafka-run-inference. */
  readonly cacheFolder: string
  /** JAVA_HOME/bin/java, else `java`. */
  readonly java: string
  readonly maven: string
}

export function clusterEnvironment(env: Environment = process.env): ClusterEnvironment {
  const brokers = (env.KRI_BROKERS ?? '').split(',').map(broker => broker.trim())
  const given = brokers.filter(broker => broker !== '')
  const cacheHome = env.XDG_CACHE_HOME || join(homedir(), '.cache')
  return {
    ...(given.length > 0 ? { brokers: given } : {}),
    ...(env.KRI_REGISTRY_URL ? { registryUrl: env.KRI_REGISTRY_URL } : {}),
    cacheFolder: env.KRI_CACHE_FOLDER || join(cacheHome, 'kafka-run-inference'),
    java: env.JAVA_HOME ? join(env.JAVA_HOME, 'bin', 'java') : 'java',
    maven: 'mvn',
  }
}
