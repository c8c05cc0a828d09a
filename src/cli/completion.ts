import { settingFlag } from '../settings-names.ts'
import { type SettingHelp, settingsHelp } from '../settings-schema.ts'
import { type CommandSpec, JSON_OPTION, type OptionSpec, TOPOLOGY_OPTIONS } from './command.ts'
import { bashCompletion } from './completion-bash.ts'
import { fishCompletion } from './completion-fish.ts'
import { zshCompletion } from './completion-zsh.ts'

/** What a shell may offer in one place; `any`: the person knows, we do not. */
export type Offer = 'file' | 'folder' | 'topology' | 'any' | readonly string[]

export interface CompletedFlag {
  /** `--until-end` */
  readonly flag: string
  readonly help: string
  /** Undefined: a switch. */
  readonly value: Offer | undefined
}

export interface CompletedCommand {
  /** `topics apply` */
  readonly name: string
  readonly summary: string
  readonly argument: Offer | undefined
  /** What may stand behind it. */
  readonly rest: Offer | undefined
  readonly flags: readonly CompletedFlag[]
}

const SCRIPTS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion }

export type ShellName = keyof typeof SCRIPTS

export interface CompletionOptions {
  readonly commands: readonly CommandSpec[]
  readonly groups: Readonly<Record<string, string>>
  readonly json?: boolean
}

/** Prints the script: made once, so that Tab starts no process of ours. */
export function completion(shell: ShellName, { commands, groups, json }: CompletionOptions): void {
  const settings = settingsHelp()
  const script = SCRIPTS[shell](
    commands.map(spec => completed(spec, settings)),
    groups,
  )
  console.log(json === true ? JSON.stringify({ shell, script }) : script.trimEnd())
}

function completed(spec: CommandSpec, settings: readonly SettingHelp[]): CompletedCommand {
  const { name, summary, argument, rest, options = [], settings: groups } = spec
  const shown = [...options, ...(groups === undefined ? [] : TOPOLOGY_OPTIONS), JSON_OPTION]
  const own = shown.filter(({ hidden }) => hidden !== true).map(flagOf)
  const ofSettings = settings
    .filter(({ group }) => groups?.includes(group) === true)
    .map(setting => ({ flag: settingFlag(setting.name), help: setting.help, value: settingOffer(setting) }))
  return {
    ...{ name, summary, argument: argument?.completes === 'choices' ? argument.choices : argument?.completes },
    rest: rest?.completes,
    flags: [...own, ...ofSettings, { flag: '--help', help: 'display help', value: undefined }],
  }
}

function flagOf({ flags, help, choices, completes }: OptionSpec): CompletedFlag {
  const [flag, value] = flags.split(' ')
  return { flag: flag!, help, value: value === undefined ? undefined : (choices ?? completes ?? 'any') }
}

function settingOffer({ takes, choices }: SettingHelp): Offer {
  // What stands for many values is no word to offer.
  return choices?.filter(choice => !choice.includes(' ')) ?? (takes === 'file' ? 'file' : 'any')
}
