import { type CommandSpec, type OptionSpec, positiveNumber } from './command.ts'

export const modelsArgument = {
  name: '<topology>',
  help: 'topology module, e.g. topologies/digits.ts',
  completes: 'topology',
} as const

export const SLOT_OPTIONS: readonly OptionSpec[] = [
  { flags: '--step <name>', help: 'which step; may be left out where there is one' },
  {
    flags: '--key <key>',
    help: 'which model, of a step with a model for each key: any key of its mapping, as text or JSON',
  },
]
export const ACT_OPTIONS: readonly OptionSpec[] = [
  { flags: '--by <who>', help: 'whom the history names; default: user@host' },
  { flags: '--reason <text>', help: 'why, for the history' },
]
export const WAIT_OPTION: OptionSpec = {
  flags: '--wait [seconds]',
  help: 'until every instance that is in the group runs it; default: 60 s',
  parse: positiveNumber,
}
export const WAIT_CODES = {
  0: 'it is published; with --wait: and every instance runs it',
  1: 'nothing was published, the reason is on standard error; or, with --wait, an instance does not run it',
} as const
export const CHANGE_JSON =
  'one object: slot, offset, state (what is published now), before, and with --wait waited: outcome (current, failed, late, overtaken, nobody), instances, silent, seconds'

/** What promoting and aborting share. */
const TRIAL_END = {
  argument: modelsArgument,
  options: [...SLOT_OPTIONS, ...ACT_OPTIONS, WAIT_OPTION],
  settings: ['connection'],
  exitCodes: WAIT_CODES,
  json: CHANGE_JSON,
} as const

export const modelsLsCommand: CommandSpec = {
  name: 'models ls',
  summary: 'show what is published for each step, and what was, newest first',
  details:
    'The history goes as far back as the log of the metadata topic still has it: compaction removes older states in time.',
  argument: modelsArgument,
  options: SLOT_OPTIONS,
  settings: ['connection'],
  examples: [
    ['models ls topologies/digits.ts', 'what serves, what it can go back to, and who published what when'],
    ['models ls topologies/digits.ts --step classify --json', 'of one step, for a script'],
  ],
  json: "one object: slots, each with slot, step, keys, offset, state (null: the handler's own model), history; ignored: what is published for no step or key of the topology",
  load: async () => (await import('./models-ls.ts')).listModels,
}

export const modelsStatusCommand: CommandSpec = {
  name: 'models status',
  summary: 'show which model every instance runs, and who lags behind',
  details:
    'Counts the members that the consumer groups have now. What instances wrote that are gone is told apart, and does not count.',
  argument: modelsArgument,
  options: SLOT_OPTIONS,
  settings: ['connection'],
  examples: [
    ['models status topologies/digits.ts', 'the whole fleet'],
    ['models status topologies/digits.ts --json', 'the same for a script'],
  ],
  exitCodes: { 0: 'every instance runs what is published', 1: 'one does not, or tells nothing; or it failed' },
  json: 'one object: current, members, slots (slot, published, instances), silent, waiting, gone, ignored, unreadable',
  load: async () => (await import('./models-status.ts')).modelsStatus,
}

export const modelsRollbackCommand: CommandSpec = {
  name: 'models rollback',
  summary: 'go back to a model that served before',
  details:
    'Without --to it is the one that was stable before this one. A trial ends with it. What is left behind is not a model to fall ' +
    'back to any more, until it is published again.',
  argument: modelsArgument,
  options: [
    ...SLOT_OPTIONS,
    {
      flags: '--to <revision>',
      help: 'a revision of kri models ls, a model id, or "own", the model that the topology names',
    },
    ...ACT_OPTIONS,
    WAIT_OPTION,
  ],
  settings: ['connection'],
  examples: [
    ['models rollback topologies/digits.ts --wait', 'to the model before, and wait until every instance runs it'],
    ['models rollback topologies/digits.ts --to 3 --reason "accuracy fell"', 'to what revision 3 had published'],
    ['models rollback topologies/digits.ts --to own', 'to the model that the topology names'],
  ],
  exitCodes: WAIT_CODES,
  json: CHANGE_JSON,
  load: async () => (await import('./models-rollback.ts')).rollbackModel,
}

export const modelsPromoteCommand: CommandSpec = {
  name: 'models promote',
  summary: 'end a trial: its model serves all records',
  ...TRIAL_END,
  examples: [['models promote topologies/digits.ts --wait', 'the canary has done well']],
  load: async () => (await import('./models-trial.ts')).promoteModel,
}

export const modelsAbortCommand: CommandSpec = {
  name: 'models abort',
  summary: 'end a trial: the model beside it serves all records again',
  ...TRIAL_END,
  examples: [['models abort topologies/digits.ts --reason "too slow"', 'the canary has not done well']],
  load: async () => (await import('./models-trial.ts')).abortModel,
}
