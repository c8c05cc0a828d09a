import { type CommandSpec, positiveNumber } from './command.ts'
import { modelsArgument, SLOT_OPTIONS } from './models-command.ts'
import { CHECK_OPTIONS } from './models-publish-command.ts'

export const modelsWatchCommand: CommandSpec = {
  name: 'models watch',
  summary: 'publish the newest file that matches a pattern, whenever there is another one',
  details:
    'The newest by modification time, files that are there at the start included; one that is overwritten is another one. It is ' +
    'taken when two looks have found it the same, and published unless these very bytes are, so a restart publishes nothing twice. ' +
    'Removing a file changes nothing, and what somebody publishes after a file has come, such as a rollback, stays. Write the ' +
    'pattern in quotes, or the shell takes it. Until Ctrl-C.',
  argument: modelsArgument,
  rest: { name: '<pattern>', help: "of files on this machine, e.g. 'models/digits-*.onnx'", completes: 'file' },
  options: [
    ...SLOT_OPTIONS,
    ...CHECK_OPTIONS,
    { flags: '--every <seconds>', help: 'between two looks; default: 5', parse: positiveNumber },
    { flags: '--once', help: 'end when the newest file is dealt with' },
    { flags: '--by <who>', help: 'whom the history names; default: user@host' },
  ],
  settings: ['connection', 'models'],
  examples: [
    ["models watch topologies/digits.ts 'models/digits-mlp-*.onnx'", 'as a service beside the training'],
    ["models watch topologies/digits.ts 'out/*.onnx' --upload /mnt/models --once", 'the newest of a build, once'],
  ],
  exitCodes: { 0: 'with --once: the newest file is published, or was', 1: 'with --once: it is refused; or it failed' },
  json: 'an object per event: event (nothing, waiting, published, current, decided, refused, trouble), at, and file, offset, state or reason',
  load: async () => (await import('./models-watch.ts')).watchModels,
}
