import { type CommandSpec, wholeNumber } from './command.ts'
import { SELECTION_OPTIONS } from './dlq-flags.ts'
import { ACT_OPTIONS } from './models-command.ts'

const argument = {
  name: '<topology>',
  help: 'topology module, e.g. topologies/digits.ts',
  completes: 'topology',
} as const
const SELECTED =
  'Conditions may be combined: a dead letter has to meet all that are given, and of one that is repeated any of its values. ' +
  'Reads without a group, up to what was there at the begin: nothing is committed, and running instances notice nothing.'

const OPEN = {
  flags: '--open',
  help: 'only those that no replay has handled',
} as const

export const dlqLsCommand: CommandSpec = {
  name: 'dlq ls',
  summary: 'count dead letters, and show the newest',
  details: SELECTED,
  argument,
  options: [
    ...SELECTION_OPTIONS,
    OPEN,
    { flags: '--limit <count>', help: 'the newest so many; default: 20', parse: wholeNumber(0, 10_000) },
    { flags: '--ndjson', help: 'all that are selected, a line each, as they are found' },
  ],
  settings: ['connection'],
  examples: [
    ['dlq ls topologies/digits.ts', 'how many there are in each topic, and the newest 20'],
    ['dlq ls topologies/digits.ts --code SHAPE_MISMATCH --since 2h', 'what came in the last two hours for one reason'],
    ['dlq ls topologies/digits.ts --stage inference --ndjson', 'every one of a stage, for a script'],
  ],
  json: 'one object: count, topics (counts by topic), letters (the newest: where it is, what failed, original position, key); with --ndjson an object for each letter',
  load: async () => (await import('./dlq-ls.ts')).listDeadLetters,
}

export const dlqStatsCommand: CommandSpec = {
  name: 'dlq stats',
  summary: 'count dead letters by what made them fail',
  details: `One line for each fingerprint: stage, step, code, and the message without what differs from record to record. ${SELECTED}`,
  argument,
  options: [...SELECTION_OPTIONS, OPEN],
  settings: ['connection'],
  examples: [
    ['dlq stats topologies/digits.ts', 'the reasons, the most frequent first, with an example each'],
    ['dlq stats topologies/digits.ts --open', 'the reasons of what has not been replayed yet'],
    ['dlq stats topologies/digits.ts --model models/digits-v2.onnx --json', 'what failed under one model'],
  ],
  json: 'one object: seen (letters looked at), count (selected), groups: fingerprint, count, stage, step, code, message, firstSeen, lastSeen (ms), attempts, replayed, mostReplays, modelIds, example; others: letters beyond 10,000 reasons',
  load: async () => (await import('./dlq-stats.ts')).deadLetterStats,
}

export const dlqShowCommand: CommandSpec = {
  name: 'dlq show',
  summary: 'show one dead letter whole, decoded with the codecs of its source',
  details:
    'What cannot be decoded is shown in hexadecimal, with the reason. With --edit it is opened as JSON with key, value and headers (bytes ' +
    'that are no text as {"base64": "…"}); what was changed is encoded with the codecs of its source, and goes to the private replay ' +
    'topic of the application. The dead letter itself stays as it was, and counts as handled.',
  argument,
  rest: { name: '<letter>', help: 'topic/partition/offset, as "kri dlq ls" shows it' },
  options: [
    { flags: '--edit', help: 'change it in $VISUAL or $EDITOR, see what is not as it was, and replay it like that' },
    { flags: '--edit-with <file>', help: 'the same with a file that has the edited record as JSON', completes: 'file' },
    ...ACT_OPTIONS,
    { flags: '--allow-stale', help: 'outputs may be compacted: what is newer there may be replaced' },
    { flags: '--yes', help: 'write what was edited without asking' },
  ],
  settings: ['connection'],
  examples: [
    ['dlq show topologies/digits.ts digits.classify.failed-inference/3/42', 'what failed, why, and the record itself'],
    [
      'dlq show topologies/digits.ts digits.classify.failed-inference/3/42 --edit --reason "one pixel too many"',
      'mend it by hand, and let it be processed again',
    ],
  ],
  json: 'one object: what failed and where, fingerprint, key, value (base64 with the reason under undecoded where they cannot be decoded), headers as [name, text]',
  load: async () => (await import('./dlq-show.ts')).showDeadLetter,
}

export const dlqExportCommand: CommandSpec = {
  name: 'dlq export',
  summary: 'write dead letters to a file, with every byte of their records',
  details: SELECTED,
  argument,
  options: [
    ...SELECTION_OPTIONS,
    OPEN,
    { flags: '--out <file>', help: 'a new file; default: standard output', completes: 'file' },
  ],
  settings: ['connection'],
  examples: [
    [
      'dlq export topologies/digits.ts --fingerprint 0123456789ab --out broken.ndjson',
      'all that failed for one reason',
    ],
  ],
  json: 'an object for each dead letter: what failed and where, fingerprint, key, value and header values in base64; with --out one object: count, file',
  load: async () => (await import('./dlq-export.ts')).exportDeadLetters,
}
