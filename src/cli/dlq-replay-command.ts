import { type CommandSpec, type OptionSpec, positiveNumber, wholeNumber } from './command.ts'
import { SELECTION_OPTIONS } from './dlq-flags.ts'
import { ACT_OPTIONS, modelsArgument as argument } from './models-command.ts'

const MAX_LETTERS = 1_000_000_000

const RUN_OPTIONS: readonly OptionSpec[] = [
  { flags: '--open', help: 'of these only what no run has handled' },
  {
    flags: '--name <name>',
    help: 'of the run: with one that was not finished it goes on; default: made of time and user',
  },
  ...ACT_OPTIONS,
  { flags: '--rate <count>', help: 'dead letters a second, at most', parse: positiveNumber },
  {
    flags: '--limit <count>',
    help: 'stop behind so many; the same name goes on with the others',
    parse: wholeNumber(1, MAX_LETTERS),
  },
  {
    flags: '--guarantee <name>',
    help: 'default: processingGuarantee of the settings',
    choices: ['at_least_once', 'exactly_once'],
  },
  { flags: '--cancel', help: 'end the run of this --name for good, whoever runs it' },
  { flags: '--yes', help: 'do it; without, it is a dry run that writes nothing' },
]
const RUNS =
  'Without --yes it is a dry run: it reads, shows what would be done, and prints the command that does it. A run ends at what was ' +
  'there when it was started. Ctrl-C stops it, and it goes on with the same --name, as it goes on after a crash; of two that run under ' +
  'one name the later one has it. What was done, by whom, when and why stays in the topic <application>.audit.'
const EXIT_CODES = {
  0: 'done, or stopped by --limit; of a dry run: it can be done',
  1: 'refused or failed, somebody else has the run, or letters are left where they are; the reason is on standard error',
} as const

export const dlqReplayCommand: CommandSpec = {
  name: 'dlq replay',
  summary: 'let dead letters be processed again, from the step that failed on',
  details:
    'They go to the private replay topics of the application, which has to run: other applications that read the same source see ' +
    `nothing twice, and outputs on other branches are not written again. ${RUNS}`,
  argument,
  options: [
    ...SELECTION_OPTIONS,
    ...RUN_OPTIONS,
    {
      flags: '--max-replays <n>',
      help: 'what was replayed so often, and failed again, goes to the topic <topology>.parked; default: 3',
      parse: wholeNumber(0, 1_000_000),
    },
    {
      flags: '--to <target>',
      help: 'replay (default), source (the topic that each was first read from, for all who read it), or topic:<name> of the setting replayTargets',
      parse: text => {
        if (!/^(replay|source|topic:.+)$/s.test(text)) throw new Error('expected replay, source or topic:<name>.')
        return text
      },
    },
    { flags: '--allow-stale', help: 'outputs may be compacted: what is newer there may be replaced' },
    {
      flags: '--set-header <name=value>',
      help: 'of the record, in place of what it has; "name=" takes it away; may be repeated',
      parse: (text: string, before: readonly string[] = []) => {
        if (text.indexOf('=') < 1) throw new Error('expected name=value, or name= to take it away.')
        return [...before, text]
      },
    },
  ],
  settings: ['connection', 'replay'],
  examples: [
    ['dlq replay topologies/digits.ts --fingerprint 0123456789ab', 'what would be done'],
    [
      'dlq replay topologies/digits.ts --fingerprint 0123456789ab --name fix-17 --reason "model v3" --yes',
      'do it, under a name',
    ],
    ['dlq replay topologies/digits.ts --name fix-17 --yes', 'go on where that one was stopped'],
    ['dlq replay topologies/digits.ts --name fix-17 --cancel', 'end it for good'],
  ],
  exitCodes: EXIT_CODES,
  json: 'one object: name, order, resumes, selected, replayed (by topic), parked, lost, lostBecause, handledBefore, groups, refusal, command; with --yes name, end (finished, stopped), counts (replayed, parked, lost since it was started), positions, order',
  load: async () => (await import('./dlq-replay.ts')).replayDeadLetters,
}

export const dlqParkCommand: CommandSpec = {
  name: 'dlq park',
  summary: 'put dead letters aside, for people only',
  details: `They are written to the topic <topology>.parked, as they are, and count as handled (--open). ${RUNS}`,
  argument,
  options: [...SELECTION_OPTIONS, ...RUN_OPTIONS],
  settings: ['connection', 'replay'],
  examples: [['dlq park topologies/digits.ts --code KEY_MISSING --reason "test data" --yes', 'nobody will mend these']],
  exitCodes: EXIT_CODES,
  json: 'as of kri dlq replay',
  load: async () => (await import('./dlq-replay.ts')).parkDeadLetters,
}
