/**
 * Settings that are secrets. Each may be given by the name of a file that holds it, as Docker and Kubernetes give secrets;
 * nothing that is logged or printed shows one.
 */
import { readFileSync } from 'node:fs'
import { MASK, withoutCredentials } from './credentials.ts'
import type { Problem } from './problem.ts'
import { settingFlag, settingVariable } from './settings-names.ts'
import type { SettingName, Settings } from './settings-schema.ts'

/** A value as a source gives it, and the words for where that is. */
export type Given = { readonly value: unknown; readonly origin: string }

const SECRETS = [
  'consoleToken',
  'tlsKeyPassword',
  'saslPassword',
  'registryPassword',
  'modelToken',
  's3SecretAccessKey',
  's3SessionToken',
] as const satisfies readonly SettingName[]

const fileOf = <T extends string>(secret: T) => `${secret}File` as const satisfies string

export function isSecret(name: string): boolean {
  return (SECRETS as readonly string[]).includes(name)
}

/** Adds a source that wins over those before it. A secret and its file are one thing: either replaces the other. */
export function addSource(given: Map<string, Given>, source: ReadonlyMap<string, Given>): void {
  for (const secret of SECRETS) {
    if (!source.has(secret) && !source.has(fileOf(secret))) continue
    given.delete(secret)
    given.delete(fileOf(secret))
  }
  for (const [name, value] of source) given.set(name, value)
}

/** Puts each secret that a file holds in its place, without the line's end behind it; returns what is wrong with the files. */
export function readSecretFiles(given: Map<string, Given>): readonly Problem[] {
  return SECRETS.flatMap(secret => {
    const file = given.get(fileOf(secret))
    // A value that is no name of a file is told with all other bad values.
    if (file === undefined || typeof file.value !== 'string' || file.value === '') return []
    const wrong = (what: string, remedy: string) => [
      { where: `${fileOf(secret)} (${file.origin})`, what, expected: `a file that holds ${secret} alone`, remedy },
    ]
    const other = given.get(secret)
    if (other !== undefined)
      return wrong(`${secret} (${other.origin}) is given as well`, 'Give one of the two: the file, if you can choose')
    const read = readSecret(file.value)
    if ('problem' in read) return wrong(`${file.value} ${read.problem}`, 'Correct the name, or mount the secret there')
    given.set(secret, { value: read.secret, origin: file.value })
    return []
  })
}

function readSecret(path: string): { readonly secret: string } | { readonly problem: string } {
  try {
    const secret = readFileSync(path, 'utf8').replace(/\r?\n$/, '')
    return secret === '' ? { problem: 'is empty' } : { secret }
  } catch (error) {
    return { problem: `cannot be read (${(error as NodeJS.ErrnoException).code})` }
  }
}

/** The setting whose file it is, e.g. `saslPassword` of `saslPasswordFile`. */
export function secretOfFile(name: string): string | undefined {
  return SECRETS.find(secret => fileOf(secret) === name)
}

/** The settings for a log line: secrets are masked, and user names and passwords inside URLs too. */
export function describeSettings(settings: Settings): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, maskedSetting(name, value)]))
}

/** A value that may be shown. */
export function maskedSetting(name: string, value: unknown): unknown {
  if (value === undefined) return undefined
  if (isSecret(name)) return MASK
  if (typeof value !== 'string') return value
  // One that is no URL shows what it has before its host all the same.
  return name === 'registryUrl' ? value.replace(/^([a-z]+:\/\/)?.*@/is, `$1${MASK}@`) : withoutCredentials(value)
}

type Flags = Readonly<Record<string, unknown>>

function visibleNames(flags: Flags): readonly string[] {
  return Object.keys(flags).filter(name => isText(flags[name]) && maskedSetting(name, flags[name]) !== flags[name])
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

/** Secrets on a command line, where every user of the machine can read them. */
export function visibleSecrets(flags: Flags): readonly Problem[] {
  return visibleNames(flags).map(name => ({
    where: settingFlag(name),
    what: 'a secret on the command line can be read by every user of this machine (ps)',
    remedy: isSecret(name)
      ? `Put it into a file and name that, ${settingFlag(fileOf(name))} or ${settingVariable(fileOf(name))}, or into ${settingVariable(name)}`
      : `Put it into ${settingVariable(name)}`,
  }))
}

/** The same flags for a process to be started, with secrets in its environment instead of its command line. */
export function withoutVisibleSecrets<T extends Flags>(
  flags: T,
  env: Readonly<Record<string, string | undefined>>,
): { readonly flags: T; readonly env: Readonly<Record<string, string | undefined>> } {
  const hidden = visibleNames(flags)
  const kept = Object.entries(flags).filter(([name]) => !hidden.includes(name))
  const moved = hidden.map(name => [settingVariable(name), flags[name] as string])
  const replaced = new Set(hidden.filter(isSecret).map(name => settingVariable(fileOf(name))))
  const others = Object.entries(env).filter(([name]) => !replaced.has(name))
  return { flags: Object.fromEntries(kept) as T, env: Object.fromEntries([...others, ...moved]) }
}
