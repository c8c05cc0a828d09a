import type { CommandSpec } from './command.ts'

export const initCommand: CommandSpec = {
  name: 'init',
  summary: 'write a new topology that runs: module, schemas, model, sample data, test, README',
  details:
    'A digit classifier to begin with: replace model, rows and functions by your own. Files that exist are left alone, and nothing\n' +
    'is written, unless --force says otherwise.',
  argument: { name: '[folder]', help: 'where; default: the current folder', completes: 'folder' },
  options: [
    { flags: '--name <name>', help: 'of the topology; default: the name of the folder' },
    {
      flags: '--codec <codec>',
      help: 'how records are written: json needs no registry, avro has one, raw are the bare numbers',
      choices: ['json', 'avro', 'raw'],
      fallback: 'json',
    },
    { flags: '--force', help: 'replace files that exist; each is named' },
  ],
  examples: [
    ['init digits', 'a folder "digits" with JSON in and out'],
    ['init digits --codec avro --name digit-classifier', 'Avro with a schema registry'],
  ],
  json: 'one object: folder, name, codec, created and replaced files',
  load: async () => (await import('./init.ts')).init,
}
