import type { CommandSpec } from './command.ts'

const argument = {
  name: '<topology>',
  help: 'topology module, e.g. topologies/digits.ts',
  completes: 'topology',
} as const

export const topicsPlanCommand: CommandSpec = {
  name: 'topics plan',
  summary: 'show what "topics apply" would do',
  argument,
  settings: ['connection', 'topics'],
  examples: [
    ['topics plan topologies/digits.ts', 'what is missing or differs'],
    ['topics plan topologies/digits.ts --json --replication-factor 3', 'the plan for a production cluster'],
  ],
  exitCodes: { 0: 'nothing stands against it', 1: 'something stands against it, or it failed' },
  json: 'one object: create, change, refuse',
  load: async () => (await import('./topics.ts')).planTopicsOf,
}

export const topicsApplyCommand: CommandSpec = {
  name: 'topics apply',
  summary: 'create and change topics as the topology needs them; safe to repeat',
  argument,
  options: [{ flags: '--schemas', help: 'register its schemas too, Avro and JSON Schema' }],
  settings: ['connection', 'topics'],
  examples: [
    ['topics apply topologies/digits.ts --schemas', 'everything that "kri run" needs'],
    ['topics apply topologies/digits.ts --partitions 12 --replication-factor 3 --min-isr 2', 'for production'],
  ],
  json: 'a line with create, change, refuse; then, with --schemas, a line per schema: subject, schema, id, isNew',
  load: async () => (await import('./topics.ts')).applyTopicsOf,
}
