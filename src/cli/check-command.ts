import type { CommandSpec } from './command.ts'

export const checkCommand: CommandSpec = {
  name: 'check',
  summary: 'find what is wrong with a topology before it runs: all problems at once, each with what to do',
  details:
    'Looks at settings, the module and its graph, schemas and the registry, topics and their policies, every model, and what one\n' +
    'record becomes in the real codecs, functions and models. Joins no group and writes nothing.',
  argument: { name: '<topology>', help: 'topology module, e.g. topologies/digits.ts', completes: 'topology' },
  options: [
    { flags: '--offline', help: 'without brokers and registry: the project alone' },
    {
      flags: '--example <file>',
      help: 'NDJSON records to try; default: the newest of the source topics',
      completes: 'file',
    },
    { flags: '--source <topic>', help: 'which source the example is for; default: the first' },
    { flags: '--key-field <name>', help: "the field of the example's objects that is the key" },
  ],
  settings: ['connection', 'run', 'models'],
  examples: [
    ['check topologies/digits.ts', 'everything, on the cluster that KRI_BROKERS names'],
    [
      'check topologies/digits.ts --offline --example data/digits-test.ndjson --key-field id',
      'in a build, without a cluster',
    ],
  ],
  exitCodes: { 0: 'no problems; there may be warnings', 1: 'there are problems' },
  json: 'one object: ok, topology, parameters, offline, problems, warnings, models, topics, schemas, examples, seconds',
  load: async () => (await import('./check.ts')).check,
}
