import { parseAbortRule } from '../refresh/abort-rule.ts'
import { type CommandSpec, type OptionSpec, percentNumber } from './command.ts'
import { ACT_OPTIONS, CHANGE_JSON, modelsArgument, SLOT_OPTIONS, WAIT_CODES, WAIT_OPTION } from './models-command.ts'

/** Of publish and watch. */
export const CHECK_OPTIONS: readonly OptionSpec[] = [
  {
    flags: '--upload <root>',
    help:
      'put it beneath this folder, address (HTTP PUT) or s3://bucket/prefix first, under a name with its checksum; ' +
      'instances must find it there, under the same id',
    completes: 'folder',
  },
  { flags: '--no-check', help: 'do not load it here before; instances check it all the same' },
]

export const modelsPublishCommand: CommandSpec = {
  name: 'models publish',
  summary: 'make a model the one that serves, or put it on trial; instances take it up without a restart',
  details:
    'Before, it is loaded and warmed up here, and its inputs and outputs are compared with those of the model that serves. Size and ' +
    'checksum are published with it. A place that instances do not allow (modelRoots) is refused here too.',
  argument: modelsArgument,
  rest: {
    name: '<model>',
    help: 'path or URI (file:, http:, https:, s3:) under which every instance finds it',
    completes: 'file',
  },
  options: [
    ...SLOT_OPTIONS,
    { flags: '--name <name>', help: 'what its metrics are named after; default: its file without extension' },
    ...CHECK_OPTIONS,
    { flags: '--dry-run', help: 'check it, show how its inputs and outputs differ, and publish nothing' },
    {
      flags: '--canary <percent>',
      help: 'on trial: this share of the keys gets its predictions, 0.01 to 100',
      parse: percentNumber,
    },
    {
      flags: '--shadow [percent]',
      help: 'on trial: it scores this share of the keys too, 100 by default; what both say goes to <topology>.<step>.shadow',
      parse: percentNumber,
    },
    {
      flags: '--abort-if <rule>',
      help:
        'give the trial up when it fails or takes so many times more: failures=2,latency=2,records=1000, where records are those ' +
        'that it has had before it is judged; what is left out is as here',
      parse: parseAbortRule,
    },
    ...ACT_OPTIONS,
    WAIT_OPTION,
  ],
  settings: ['connection', 'models'],
  examples: [
    ['models publish topologies/digits.ts models/digits-mlp-v2.onnx --wait', 'publish, and wait for the fleet'],
    ['models publish topologies/digits.ts models/digits-mlp-v2.onnx --dry-run', 'would it do?'],
    [
      'models publish topologies/digits.ts models/digits-mlp-v2.onnx --canary 10 --abort-if failures=2',
      'for 10 % of the keys',
    ],
    ['models publish topologies/digits.ts build/v3.onnx --upload /mnt/models', 'copy it to where instances find it'],
    ['models publish topologies/digits.ts build/v3.onnx --upload s3://models/digits', 'the same, into a store'],
  ],
  exitCodes: {
    ...WAIT_CODES,
    0: 'it is published; with --wait: and every instance runs it; with --dry-run: it would do',
  },
  json: `${CHANGE_JSON}; with --dry-run: slot, model, check`,
  load: async () => (await import('./models-publish.ts')).publishModel,
}
