/**
 * What a command is: data, so that help, completion, docs/commands.md and the parser are made from the same. A new
 * command is a file `x-command.ts` with a spec, an entry in `commands.ts`, and a module that is imported only when it runs.
 */
import type { GivenParameters } from '../parameters.ts'
import type { SettingGroup } from '../settings-schema.ts'

export interface OptionSpec {
  /** As in the help: `--file <path>`, or `--schemas` for a switch. */
  readonly flags: string
  readonly help: string
  readonly choices?: readonly string[]
  readonly fallback?: string
  /** Makes the value of the text; throws an Error whose message says what was expected. May be repeated: gets what came before. */
  readonly parse?: (text: string, before: never) => unknown
  /** What a shell completes. */
  readonly completes?: 'file' | 'folder'
  /** Not for people. */
  readonly hidden?: boolean
}

export interface CommandSpec {
  /** `run`, or `topics apply` for a command of a group. */
  readonly name: string
  /** One line, beginning with a verb in small letters. */
  readonly summary: string
  /** What else is worth knowing before it is used. */
  readonly details?: string
  readonly argument?: {
    /** `<topology>`, or `[folder]` when it may be left out. */
    readonly name: string
    readonly help: string
    readonly choices?: readonly string[]
    readonly completes: 'topology' | 'folder' | 'choices'
  }
  /** Behind the argument: `<file>` is one, `[topic...]` any number of them, which the action gets as an array. */
  readonly rest?: { readonly name: string; readonly help: string; readonly completes?: 'file' }
  /** Its own; `--json` is added to every command. */
  readonly options?: readonly OptionSpec[]
  /** Taken as flags, with `--param` and `--config`. */
  readonly settings?: readonly SettingGroup[]
  /** Command lines without `kri`, each with what it does. */
  readonly examples: readonly (readonly [line: string, what: string])[]
  /** What 0 and 1 mean here, where it is not just done and failed. */
  readonly exitCodes?: Readonly<Record<number, string>>
  /** What `--json` prints. */
  readonly json: string
  /** Imports what the command does: called with its arguments, if it has any, and the flags by their camelCase names. */
  readonly load: () => Promise<(...args: never[]) => unknown>
}

/** Options that commands with settings have besides. */
export const TOPOLOGY_OPTIONS: readonly OptionSpec[] = [
  {
    flags: '--param <name=value>',
    help: 'parameter of the topology module, "kri describe" lists them; a flag\'s name alone is true; may be repeated',
    parse: collectParameter,
  },
  { flags: '--config <file>', help: 'settings file; default: kri.json, if there is one', completes: 'file' },
]
export const JSON_OPTION: OptionSpec = { flags: '--json', help: 'print JSON for scripts, errors too' }

/** What every command may end with. */
export const EXIT_CODES: Readonly<Record<number, string>> = {
  0: 'done',
  1: 'failed; the reason is on standard error',
  2: 'wrong usage: no such command or flag, or a value that a flag does not take',
  130: 'interrupted by Ctrl-C',
}

/** For flags that take a number above 0. */
export function positiveNumber(text: string): number {
  const number = Number(text)
  if (!(number > 0)) throw new Error('expected a number above 0.')
  return number
}

/** For flags that take a share of what there is. */
export function percentNumber(text: string): number {
  const number = text.trim() === '' ? Number.NaN : Number(text)
  if (!(number >= 0.01 && number <= 100)) throw new Error('expected a number from 0.01 to 100.')
  return number
}

/** For flags that take a whole number from `min` to `max`. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return text => {
    const number = text.trim() === '' ? Number.NaN : Number(text)
    if (!Number.isInteger(number) || number < min || number > max)
      throw new Error(`expected a whole number from ${min} to ${max}.`)
    return number
  }
}

function collectParameter(text: string, before: GivenParameters = {}): GivenParameters {
  const at = text.indexOf('=')
  if (at === 0 || text === '') throw new Error('expected name=value, or the name of a flag.')
  return at < 0 ? { ...before, [text]: true } : { ...before, [text.slice(0, at)]: text.slice(at + 1) }
}
