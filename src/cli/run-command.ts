import type { CommandSpec } from './command.ts'

export const runCommand: CommandSpec = {
  name: 'run',
  summary: 'run a topology as a member of its consumer group; serves /livez, /readyz and /metrics',
  argument: { name: '<topology>', help: 'topology module, e.g. topologies/digits.ts', completes: 'topology' },
  options: [{ flags: '--until-end', help: 'stop when everything that is in the source topics now is done' }],
  settings: ['connection', 'run'],
  examples: [
    ['run topologies/digits.ts', 'one instance; start as many as you like, on as many machines'],
    ['run topologies/digits.ts --until-end --json', 'a batch job: what is there now, then a summary'],
  ],
  exitCodes: { 0: 'ended in order: SIGTERM, or the end of the input', 1: 'it cannot go on; the reason is in the log' },
  json: 'one object at the end',
  endsInOrder: true,
  load: async () => (await import('./run.ts')).run,
}
