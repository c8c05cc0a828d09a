import { type CommandSpec, wholeNumber } from './command.ts'

const upTo10000 = wholeNumber(1, 10_000)

export const consumeCommand: CommandSpec = {
  name: 'consume',
  summary: 'show records of the topics of a topology, decoded with its codecs',
  details:
    'Reads without a group: nothing is committed, and running instances notice nothing. One line per record, in the order of each ' +
    'partition. Bytes that cannot be decoded are shown in base64, with the reason; dead letters with what failed, where and why. ' +
    'As text long values are cut.',
  argument: { name: '<topology>', help: 'topology module, e.g. topologies/digits.ts', completes: 'topology' },
  rest: { name: '[topic...]', help: 'topics of the topology, sources too; default: all outputs and dead letters' },
  options: [
    { flags: '--outputs', help: 'the output topics' },
    { flags: '--dead-letters', help: 'the dead-letter topics' },
    {
      flags: '--limit <count>',
      help: 'the newest so many records of each topic, up to 10000, or all; default: 20, with --json all',
      parse: text => (text === 'all' ? text : upTo10000(text)),
    },
    { flags: '--follow', help: 'then go on with what comes, until Ctrl-C' },
  ],
  settings: ['connection'],
  examples: [
    ['consume topologies/digits.ts', 'the newest 20 records of every output and dead-letter topic'],
    ['consume topologies/digits.ts --dead-letters --follow', 'what fails, as it happens'],
    ['consume topologies/digits.ts --outputs --json > predictions.ndjson', 'every prediction, for a script'],
    ['consume topologies/digits.ts digits.images --limit 5', 'the newest 5 records of one topic'],
  ],
  exitCodes: { 0: 'everything that was there is shown, however little' },
  json: 'an object per record: topic, partition, offset, timestamp (ms), key, value, headers as [name, value] (bytes that are no text: {"base64": …}); undecoded: why key or value is bare base64; deadLetter: stage, step, node, code, message, original position, failedAt (ms), modelId, and valueBytes where the value was too large to keep',
  load: async () => (await import('./consume.ts')).consume,
}
