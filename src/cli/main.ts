#!/usr/bin/env node
/** The command line: every command with its flags and help. What the commands do is in the files beside this one. */
import { readFileSync } from 'node:fs'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { RunInferenceError } from '../errors.ts'
import { settingFlag, settingVariable } from '../settings.ts'
import { type SettingGroup, settingsHelp } from '../settings-schema.ts'
import { clusterDownCommand, clusterStatusCommand, clusterUpCommand } from './cluster.ts'
import { produceCommand } from './produce.ts'
import { runCommand } from './run.ts'
import { topicsApplyCommand, topicsPlanCommand } from './topics.ts'

const USAGE_ERROR = 2

const program = new Command('kri')
  .description(
    'Batched ONNX inference as a Kafka consumer group: topology modules in, predictions and dead letters out.',
  )
  .version(version(), '-V, --version', 'print the version')
  .helpCommand(false)
  .showHelpAfterError('(--help tells what there is)')
  .addHelpText(
    'after',
    `
A first run:
  kri cluster up                                   a Kafka and a schema registry on this machine
  export KRI_BROKERS=… KRI_REGISTRY_URL=…          as it prints them
  kri topics apply topologies/digits.ts --schemas  the topics and schemas of a topology
  kri run topologies/digits.ts                     an instance; start more to share the work
  kri produce topologies/digits.ts --file data/digits-test.ndjson --key-field id

Settings come from flags, then the environment (--max-in-flight-rows is KRI_MAX_IN_FLIGHT_ROWS), then kri.json, then defaults.
Exit code: 0 done, 1 failed (the reason is on standard error), 2 wrong usage, 130 interrupted.`,
  )

const cluster = program.command('cluster').description('a local cluster of real parts, for development and tests')
cluster
  .command('up')
  .description('start Kafka and a schema registry (Java 17 and Maven needed), which stay until "down"')
  .addOption(new Option('--brokers <count>', 'how many brokers').choices(['1', '3']).default('1'))
  .option('--json', 'print one JSON object')
  .action(flags => clusterUpCommand({ ...flags, brokers: flags.brokers === '3' ? 3 : 1 }))
cluster
  .command('status')
  .description('where it is and whether it lives')
  .option('--json', 'print one JSON object')
  .action(clusterStatusCommand)
cluster
  .command('down')
  .description('end it and remove its data')
  .option('--json', 'print one JSON object')
  .action(clusterDownCommand)

const run = program
  .command('run')
  .description('run a topology as a member of its consumer group; serves /livez, /readyz and /metrics')
  .argument('<topology>', 'topology module, e.g. topologies/digits.ts')
  .option('--until-end', 'stop when everything that is in the source topics now is done')
  .action(runCommand)
withSettings(run, ['connection', 'run'])

const topics = program.command('topics').description('the topics that a topology needs')
const plan = topics
  .command('plan')
  .description('show what "apply" would do')
  .argument('<topology>', 'topology module')
  .option('--json', 'print one JSON object')
  .action(topicsPlanCommand)
withSettings(plan, ['connection', 'topics'])
const apply = topics
  .command('apply')
  .description('create and change topics as the topology needs them; safe to repeat')
  .argument('<topology>', 'topology module')
  .option('--schemas', 'register its Avro schemas too')
  .option('--json', 'print one JSON object')
  .action(topicsApplyCommand)
withSettings(apply, ['connection', 'topics'])

const produce = program
  .command('produce')
  .description('send NDJSON, a JSON value per line, through the codec of a source topic')
  .argument('<topology>', 'topology module')
  .option('--source <topic>', 'which source, if there are several')
  .option('--file <path>', 'what to send; default: standard input')
  .option('--key-field <name>', 'the field of each object that is the key; without it records have none')
  .option('--rate <number>', 'records per second at most', positive)
  .option('--json', 'print one JSON object')
  .action(produceCommand)
withSettings(produce, ['connection'])

/** Settings as flags; how they are read and checked is for settings.ts alone. */
function withSettings(command: Command, groups: readonly SettingGroup[]): void {
  command
    .option('--param <name=value>', 'parameter of the topology module; may be repeated', collectParameter)
    .option('--config <file>', 'settings file; default: kri.json, if there is one')
  for (const { name, group, help, fallback } of settingsHelp()) {
    if (!groups.includes(group)) continue
    const shown = fallback === undefined || help.includes('default:') ? '' : ` (default: ${fallback})`
    command.addOption(new Option(`${settingFlag(name)} <value>`, `${help}${shown}`).helpGroup(`Settings (${group}):`))
  }
  command.addHelpText('after', `\nEvery setting may stand in the environment too, e.g. ${settingVariable('brokers')}.`)
}

function collectParameter(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('expected name=value.')
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) }
}

function positive(text: string): number {
  const number = Number(text)
  if (!(number > 0)) throw new InvalidArgumentError('expected a number above 0.')
  return number
}

function version(): string {
  // Two folders up from the sources and from the build alike.
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

/** What a person can act on; the stack is for bugs. */
function explain(error: unknown): string {
  if (error instanceof RunInferenceError && error.code !== 'BUG') return `kri: ${error.message}`
  return `kri: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`
}

for (const command of [program, cluster, topics, ...program.commands, ...cluster.commands, ...topics.commands])
  command.exitOverride()
try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : USAGE_ERROR
  else {
    console.error(explain(error))
    process.exitCode = 1
  }
}
