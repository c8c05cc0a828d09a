/** The table of commands, in the order of the help. */
import { checkCommand } from './check-command.ts'
import { clusterDownCommand, clusterStatusCommand, clusterUpCommand } from './cluster-command.ts'
import type { CommandSpec } from './command.ts'
import { completionCommand } from './completion-command.ts'
import { consoleCommand } from './console-command.ts'
import { consumeCommand } from './consume-command.ts'
import { describeCommand } from './describe-command.ts'
import { dlqExportCommand, dlqLsCommand, dlqShowCommand, dlqStatsCommand } from './dlq-command.ts'
import { dlqParkCommand, dlqReplayCommand } from './dlq-replay-command.ts'
import { initCommand } from './init-command.ts'
import {
  modelsAbortCommand,
  modelsLsCommand,
  modelsPromoteCommand,
  modelsRollbackCommand,
  modelsStatusCommand,
} from './models-command.ts'
import { modelsPublishCommand } from './models-publish-command.ts'
import { modelsWatchCommand } from './models-watch-command.ts'
import { produceCommand } from './produce-command.ts'
import { resumeCommand } from './resume-command.ts'
import { runCommand } from './run-command.ts'
import { topicsApplyCommand, topicsPlanCommand } from './topics-command.ts'
import { typesCommand } from './types-command.ts'

export const COMMANDS: readonly CommandSpec[] = [
  initCommand,
  clusterUpCommand,
  clusterStatusCommand,
  clusterDownCommand,
  topicsPlanCommand,
  topicsApplyCommand,
  typesCommand,
  checkCommand,
  describeCommand,
  runCommand,
  resumeCommand,
  modelsPublishCommand,
  modelsLsCommand,
  modelsRollbackCommand,
  modelsStatusCommand,
  modelsWatchCommand,
  modelsPromoteCommand,
  modelsAbortCommand,
  dlqLsCommand,
  dlqStatsCommand,
  dlqShowCommand,
  dlqExportCommand,
  dlqReplayCommand,
  dlqParkCommand,
  produceCommand,
  consumeCommand,
  consoleCommand,
  completionCommand(
    () => COMMANDS,
    () => COMMAND_GROUPS,
  ),
]

/** Commands whose names have two words belong to one of these. */
export const COMMAND_GROUPS: Readonly<Record<string, string>> = {
  cluster: 'a local cluster of real parts, for development and tests',
  topics: 'the topics that a topology needs',
  models: 'the models that its steps run: publish, try, watch, go back',
  dlq: 'what failed: find it, understand why, and let it be processed again',
}

/** The command that these words begin with. */
export function commandOf(words: readonly string[]): CommandSpec | undefined {
  return COMMANDS.find(({ name }) => name.split(' ').every((word, i) => words[i] === word))
}
