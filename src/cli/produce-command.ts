import { type CommandSpec, positiveNumber } from './command.ts'

export const produceCommand: CommandSpec = {
  name: 'produce',
  summary: 'send NDJSON, a JSON value per line, through the codec of a source topic',
  argument: { name: '<topology>', help: 'topology module, e.g. topologies/digits.ts', completes: 'topology' },
  options: [
    { flags: '--source <topic>', help: 'which source, if the topology reads several that it does not write itself' },
    { flags: '--file <path>', help: 'what to send; default: standard input', completes: 'file' },
    {
      flags: '--key-field <name>',
      help: 'the field of each object that is the key; needed where the source has a key codec',
    },
    { flags: '--rate <number>', help: 'records per second at most', parse: positiveNumber },
  ],
  settings: ['connection'],
  examples: [
    ['produce topologies/digits.ts --file data/digits-test.ndjson --key-field id', 'a file, at full speed'],
    ['produce topologies/digits.ts --key-field id --rate 100 < more.ndjson', 'standard input, 100 records a second'],
  ],
  exitCodes: { 0: 'every record is acknowledged', 1: 'a line was bad (the others are sent), or it failed' },
  json: 'one object: topic, acknowledged, bad, unknown, seconds',
  load: async () => (await import('./produce.ts')).produce,
}
