/** Where settings come from: flags, then the environment (KRI_…), then a file (kri.json), then defaults. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { exportLine, mayBeRunning, readState } from './cluster/state-file.ts'
import { withoutCredentials } from './credentials.ts'
import { RunInferenceError } from './errors.ts'
import { suggestion } from './nearest-name.ts'
import { type Problem, problemsError } from './problem.ts'
import {
  addSource,
  type Given,
  isSecret,
  maskedSetting,
  readSecretFiles,
  secretOfFile,
  withoutVisibleSecrets,
} from './secret-settings.ts'
import { cacheFolder, type Environment, environment } from './settings.ts'
import { settingFlag, settingVariable } from './settings-names.ts'
import { type ParsedProblem, parseSettings } from './settings-parsing.ts'
import { type Settings, settingsHelp } from './settings-schema.ts'

export { describeSettings, visibleSecrets } from './secret-settings.ts'
export type { Settings } from './settings-schema.ts'

/** Looked for in the working directory; may be missing, unless `--config` names another. */
const SETTINGS_FILE = 'kri.json'
/** Read by `kri cluster`, and by tests. */
const OTHER_VARIABLES = ['KRI_CACHE_FOLDER', 'KRI_CLUSTER', 'KRI_TEST_CLUSTER']
let variables: ReadonlyMap<string, string> | undefined
/** By setting; made when they are asked for. */
function allVariables(): ReadonlyMap<string, string> {
  variables ??= new Map(settingsHelp().map(({ name }) => [name, settingVariable(name)]))
  return variables
}

export interface SettingsSources {
  /** By setting name; undefined = not given. */
  readonly flags?: Readonly<Record<string, unknown>>
  /** A settings file that must exist; default: kri.json if there is one. */
  readonly configFile?: string | undefined
  /** Instead of the general ones, where the command knows better. */
  readonly defaults?: Partial<Settings>
  /** Default: the environment of this process. */
  readonly env?: Environment
  /** Taken where nothing else is given: for commands that can do without. */
  readonly fallbacks?: Readonly<Record<string, unknown>>
}

/** Settings from all sources, frozen. Throws SETTINGS_INVALID with every problem, naming where each value came from. */
export function loadSettings(sources: SettingsSources = {}): Settings {
  const env = sources.env ?? environment()
  const given = new Map<string, Given>()
  const add = (values: Readonly<Record<string, unknown>>, originOf: (name: string) => string) => {
    const present = Object.entries(values).filter(([, value]) => value !== undefined)
    addSource(given, new Map(present.map(([name, value]) => [name, { value, origin: originOf(name) }])))
  }
  add(sources.fallbacks ?? {}, () => 'default')
  add(sources.defaults ?? {}, () => 'default')
  const file = sources.configFile ?? SETTINGS_FILE
  add(readFile(file, sources.configFile !== undefined), () => file)
  add(fromEnvironment(env), settingVariable)
  const { flags = {} } = sources
  add(Object.fromEntries(settingsHelp().map(({ name }) => [name, flags[name]])), settingFlag)

  const unread = readSecretFiles(given)
  const parsed = parseSettings(Object.fromEntries([...given].map(([name, { value }]) => [name, value])))
  if ('settings' in parsed && unread.length === 0) return parsed.settings
  const bad = 'settings' in parsed ? [] : parsed.problems
  // A secret that is missing since its file cannot be read is told once.
  const told = unread.map(({ where }) => secretOfFile(where.split(' ')[0]!))
  throw problemsError('SETTINGS_INVALID', 'the settings have', [
    ...unread,
    ...bad
      .filter(({ name }) => given.has(name) || !told.includes(name))
      .map(problem => settingProblem(problem, given.get(problem.name), env)),
  ])
}

function fromEnvironment(env: Environment): Readonly<Record<string, unknown>> {
  const values = Array.from(allVariables(), ([name, variable]) => [name, env[variable]] as const)
  // An empty variable is how compose files and charts say "not set".
  return Object.fromEntries(values.filter(([, value]) => value !== ''))
}

function settingProblem({ name, expected }: ParsedProblem, given: Given | undefined, env: Environment): Problem {
  const where = given === undefined ? name : `${name} (${given.origin})`
  if (expected === undefined) {
    const names = settingsHelp().map(help => help.name)
    return { where, what: 'there is no such setting', remedy: suggestion(name, names) }
  }
  const ways = `${settingFlag(name)} or ${settingVariable(name)}${isSecret(name) ? `, or ${settingVariable(`${name}File`)}` : ''}`
  const help = settingsHelp().find(setting => setting.name === name)
  if (given === undefined && help?.fallback === undefined) {
    const remedy = name === 'brokers' ? `Set ${ways}; ${localCluster(env)}` : `Set ${ways}`
    return { where, what: 'it is missing', expected, got: 'nothing', remedy }
  }
  const got = given === undefined ? `its default ${show(name, help?.fallback)}` : show(name, given.value)
  return { where, what: 'the value cannot be used', expected, got, remedy: `Change it, or set ${ways}` }
}

function localCluster(env: Environment): string {
  const cluster = readState(cacheFolder(env))
  if (cluster === undefined || !mayBeRunning(cluster)) return 'for a cluster on this machine: kri cluster up'
  return `a local cluster is running: ${exportLine(cluster)}`
}

function show(name: string, value: unknown): string {
  return withoutCredentials(JSON.stringify(maskedSetting(name, value)) ?? String(value))
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
    // What the parser says may quote the file, which may hold a password.
    const at = /position \d+( \(line \d+ column \d+\))?/.exec((error as Error).message)?.[0]
    throw new RunInferenceError(
      'SETTINGS_INVALID',
      `the settings file ${file} is not JSON${at === undefined ? '' : `: look at ${at}`}`,
    )
  }
  throw new RunInferenceError('SETTINGS_INVALID', `the settings file ${file}: expected a JSON object of settings`)
}

/** Variables that look like settings and are none: nothing reads them. */
export function strayVariables(env: Environment = environment()): readonly Problem[] {
  const known = [...allVariables().values(), ...OTHER_VARIABLES]
  return Object.keys(env)
    .filter(name => name.startsWith('KRI_') && !known.includes(name))
    .map(name => ({ where: name, what: 'no setting has this variable', remedy: suggestion(name, known) }))
}

/** Flags and environment for a process of ours: secrets go by its environment, since command lines are seen by everybody. */
export function forChildProcess<T extends Readonly<Record<string, unknown>>>(flags: T) {
  return withoutVisibleSecrets(flags, environment())
}

/** Where fetched models are kept. */
export function modelCacheFolder({ modelCacheFolder }: Settings, env: Environment = environment()): string {
  return modelCacheFolder ?? join(cacheFolder(env), 'models')
}
