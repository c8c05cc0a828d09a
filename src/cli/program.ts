/** Makes the parser and its help from the table of commands; the only importer of commander. */
import { Command, CommanderError, InvalidArgumentError, Option, type OutputConfiguration } from 'commander'
import { settingFlag, settingVariable } from '../settings-names.ts'
import type { SettingHelp } from '../settings-schema.ts'
import { type CommandSpec, EXIT_CODES, JSON_OPTION, type OptionSpec, TOPOLOGY_OPTIONS } from './command.ts'
import { COMMAND_GROUPS, COMMANDS } from './commands.ts'

const DESCRIPTION =
  'Batched ONNX inference as a Kafka consumer group: topology modules in, predictions and dead letters out.'
/** As commander wraps the rest. */
const WIDTH_OF_A_PIPE = 80
const FIRST_RUN = `
A first run:
  kri cluster up                                   a Kafka and a schema registry on this machine
  export KRI_BROKERS=… KRI_REGISTRY_URL=…          as it prints them
  kri topics apply topologies/digits.ts --schemas  the topics and schemas of a topology
  kri run topologies/digits.ts                     an instance; start more to share the work
  kri produce topologies/digits.ts --file data/digits-test.ndjson --key-field id
  kri consume topologies/digits.ts                 predictions and dead letters

Settings come from flags, then the environment (--max-in-flight-rows is KRI_MAX_IN_FLIGHT_ROWS), then kri.json, then defaults.
${exitCodes(EXIT_CODES)}`

export interface ProgramOptions {
  readonly version: string
  /** Those that commands offer as flags; may be empty where none of those commands is meant. */
  readonly settings: readonly SettingHelp[]
  /** Where what commander prints goes; default: standard output and error. */
  readonly output?: OutputConfiguration
}

/** Parsing throws a CommanderError instead of ending the process. */
export function createProgram({ version, settings, output = {} }: ProgramOptions): Command {
  const program = new Command('kri')
    .description(DESCRIPTION)
    .version(version, '-V, --version', 'print the version')
    .helpCommand(false)
    .showHelpAfterError('(--help tells what there is)')
    .configureOutput({ outputError: (text, write) => write(withoutFlagValues(text)), ...output })
    .exitOverride()
    .addHelpText('after', FIRST_RUN)
  const groups = new Map<string, Command>()
  for (const spec of COMMANDS) {
    const [first, second] = spec.name.split(' ')
    if (second === undefined) addCommand(program, first!, spec, settings)
    else {
      const group =
        groups.get(first!) ??
        program
          .command(first!)
          .description(COMMAND_GROUPS[first!] ?? '')
          .helpCommand(false)
      groups.set(first!, group)
      addCommand(group, second, spec, settings)
    }
  }
  return program
}

/** Exit code and message of what parsing threw, undefined when it is something else; help and version have code 0. */
export function usageError(error: unknown): { readonly exitCode: 0 | 2; readonly message: string } | undefined {
  if (!(error instanceof CommanderError)) return undefined
  return { exitCode: error.exitCode === 0 ? 0 : 2, message: withoutFlagValues(error.message).replace(/^error: /, '') }
}

/** The name of a flag may be misspelt, and its value a secret. */
function withoutFlagValues(text: string): string {
  return text.replace(/(unknown option '--[^=']+)=[\s\S]*'/, "$1'")
}

function addCommand(parent: Command, name: string, spec: CommandSpec, settings: readonly SettingHelp[]): void {
  const command = parent.command(name).summary(spec.summary).description(describe(spec))
  if (spec.argument !== undefined) {
    const argument = command.createArgument(spec.argument.name, spec.argument.help)
    command.addArgument(spec.argument.choices === undefined ? argument : argument.choices(spec.argument.choices))
  }
  if (spec.rest !== undefined) command.argument(spec.rest.name, spec.rest.help)
  for (const each of spec.options ?? []) command.addOption(option(each))
  if (spec.settings !== undefined) {
    for (const each of TOPOLOGY_OPTIONS) command.addOption(option(each))
    for (const setting of settings) {
      if (!spec.settings.includes(setting.group)) continue
      command.addOption(settingOption(setting))
    }
  }
  command.addOption(option(JSON_OPTION))
  command.addHelpText('after', () => {
    const width = command.configureOutput().getOutHelpWidth?.() ?? WIDTH_OF_A_PIPE
    return `\n${afterwards(spec, text => command.createHelp().boxWrap(text, width))}`
  })
  command.action(async (...parsed: unknown[]) => {
    const action = (await spec.load()) as (...args: unknown[]) => unknown
    // Behind arguments and flags commander gives itself.
    await action(...parsed.slice(0, -1))
  })
}

function describe({ summary, details }: CommandSpec): string {
  const sentence = `${summary[0]!.toUpperCase()}${summary.slice(1)}.`
  return details === undefined ? sentence : `${sentence}\n${details}`
}

function option({ flags, help, choices, fallback, parse, hidden }: OptionSpec): Option {
  const made = new Option(flags, help).hideHelp(hidden ?? false)
  if (choices !== undefined) made.choices(choices)
  if (fallback !== undefined) made.default(fallback)
  if (parse !== undefined) made.argParser((text, before) => parsed(() => parse(text, before as never)))
  return made
}

/** How settings are read and checked is for load-settings.ts alone. */
function settingOption({ name, group, help, takes, choices, fallback }: SettingHelp): Option {
  const facts = [
    ...(choices === undefined ? [] : [`choices: ${choices.join(', ')}`]),
    ...(fallback === undefined || help.includes('default:') ? [] : [`default: ${fallback}`]),
  ]
  const shown = facts.length === 0 ? '' : ` (${facts.join('; ')})`
  return new Option(`${settingFlag(name)} <${takes}>`, `${help}${shown}`).helpGroup(`Settings (${group}):`)
}

function afterwards(
  { examples, settings, exitCodes: special, json }: CommandSpec,
  wrap: (text: string) => string,
): string {
  const width = Math.max(...examples.map(([line]) => line.length))
  const lines = examples.map(([line, what]) => `  kri ${line.padEnd(width)}  ${what}`)
  const environment =
    settings === undefined
      ? []
      : ['', `Every setting may stand in the environment (${settingVariable('logLevel')}) or in kri.json too.`]
  return [
    'Examples:',
    ...lines,
    ...environment,
    '',
    wrap(`With --json: ${json}.`),
    exitCodes({ ...EXIT_CODES, ...special }),
  ].join('\n')
}

function exitCodes(codes: Readonly<Record<number, string>>): string {
  return ['Exit codes:', ...Object.entries(codes).map(([code, meaning]) => `  ${code.padEnd(4)} ${meaning}`)].join('\n')
}

function parsed<T>(parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message)
  }
}
