import type { CommandSpec } from './command.ts'

export const resumeCommand: CommandSpec = {
  name: 'resume',
  summary: 'let an instance go on that halted because too much failed',
  details:
    'Asks the instance on this machine, or on another where --http-host names it, at the address of its health and metrics: the ' +
    'parent of --workers passes it on to all of them. Counts begin anew, so it halts again if as much fails. Where several ' +
    'instances were halted, each is asked by itself.',
  options: [
    { flags: '--http-host <address>', help: 'where it listens; default: KRI_HTTP_HOST, or 127.0.0.1' },
    { flags: '--http-port <port>', help: 'its port; default: KRI_HTTP_PORT, or 8080' },
    { flags: '--config <file>', help: 'settings file; default: kri.json, if there is one', completes: 'file' },
  ],
  examples: [
    ['resume', 'the instance whose health and metrics are on port 8080'],
    ['resume --http-port 8181 --json', 'another one, for a script'],
  ],
  exitCodes: { 0: 'it goes on, or was not halted', 1: 'no instance answers there, or one of --workers does not' },
  json: 'one object: url, resumed (false: it was not halted), reasons: why it was halted, by what halted',
  load: async () => (await import('./resume.ts')).resume,
}
