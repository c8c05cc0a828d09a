import type { CommandSpec } from './command.ts'

export const typesCommand: CommandSpec = {
  name: 'types',
  summary: 'write TypeScript for the Avro schemas of the project, or check that it is written',
  details:
    'One interface for each record and one type for each enum, with the docs of the schemas as comments.\n' +
    'docs/codecs.md has the table of types. Give the options that the topologies give to avro(…).',
  options: [
    { flags: '--schemas <folder>', help: 'where the .avsc files are', fallback: 'schemas', completes: 'folder' },
    { flags: '--out <file>', help: 'what to write; default: types.ts beside the schemas', completes: 'file' },
    { flags: '--check', help: 'change nothing; exit code 1 when the file is not what would be written' },
    { flags: '--longs <type>', help: 'what longs are', choices: ['number', 'bigint'], fallback: 'number' },
    {
      flags: '--logical-types <form>',
      help: 'dates, times and decimals as values, or raw as the types under them',
      choices: ['values', 'raw'],
      fallback: 'values',
    },
  ],
  examples: [
    ['types', 'schemas/types.ts from schemas/*.avsc'],
    ['types --check', 'for continuous integration'],
  ],
  exitCodes: { 0: 'the file is as the schemas say', 1: 'with --check: it is not, or it failed' },
  json: 'one object: out, schemas, equal, written, removed, added',
  load: async () => (await import('./types.ts')).types,
}
