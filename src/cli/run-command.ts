import { type CommandSpec, wholeNumber } from './command.ts'

export const runCommand: CommandSpec = {
  name: 'run',
  summary: 'run a topology as a member of its consumer group; serves /livez, /readyz and /metrics',
  argument: { name: '<topology>', help: 'topology module, e.g. topologies/digits.ts', completes: 'topology' },
  options: [
    { flags: '--until-end', help: 'stop when everything that is in the source topics now is done' },
    { flags: '--part <name>', help: 'run one part of the topology only, named after its first source topic' },
    {
      flags: '--workers <count>',
      help: 'so many members of the group, as processes of this machine',
      parse: wholeNumber(1, 256),
    },
    { flags: '--as-worker <index>', help: 'one of several', parse: wholeNumber(0, 255), hidden: true },
  ],
  settings: ['connection', 'run', 'console', 'models'],
  details:
    'Several instances of one topology share its partitions, on one machine (--workers) or on many. --start only matters to a ' +
    'group that has never committed: afterwards it goes on where it was.',
  examples: [
    ['run topologies/digits.ts', 'one instance; start as many as you like, on as many machines'],
    ['run topologies/digits.ts --workers 4', 'four processes, kept running; health and metrics of all on one port'],
    ['run topologies/digits.ts --until-end --json', 'a batch job: what is there now, then a summary'],
    ['run topologies/digits.ts --start 2026-01-31T12:00:00Z', 'a new group begins at that time'],
  ],
  exitCodes: {
    0: 'ended in order: by SIGTERM or SIGHUP, or at the end of the input',
    1: 'it cannot go on; the reason is in the log',
    130: 'ended in order by Ctrl-C',
  },
  json: 'at the end one object: reachedEnd, records, predictions, deadLetters by stage, dropped, committed offsets by topic and partition, seconds. The log stays on standard error',
  load: async () => (await import('./run.ts')).run,
}
