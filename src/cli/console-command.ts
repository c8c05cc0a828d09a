import { type CommandSpec, wholeNumber } from './command.ts'

export const consoleCommand: CommandSpec = {
  name: 'console',
  summary: 'serve a page that shows the application, its dead letters and its models',
  argument: { name: '<topology>', help: 'topology module, e.g. topologies/digits.ts', completes: 'topology' },
  options: [
    {
      flags: '--port <port>',
      help: 'where it listens; 0 = any free one; default: 8080',
      parse: wholeNumber(0, 65_535),
    },
    { flags: '--host <address>', help: 'address of this machine that it listens on; default: 127.0.0.1' },
  ],
  settings: ['connection', 'console', 'models'],
  details:
    'What it shows is read from Kafka, without a group; instances are asked nothing. Without a token (consoleToken) nothing can be ' +
    'changed. Whoever reaches its address sees records: let only those reach it who may.',
  examples: [
    ['console topologies/digits.ts', 'at http://127.0.0.1:8080/console/, to look at'],
    ['console topologies/digits.ts --console-token-file token', 'the same, to replay and publish with this token'],
  ],
  exitCodes: { 0: 'ended in order by SIGTERM', 130: 'ended in order by Ctrl-C' },
  json: 'one object when it listens: url. The log stays on standard error',
  load: async () => (await import('./console.ts')).serveConsole,
}
