/**
 * Changes of models that the page asks for: `kri models` in a process of its own. So they are checked as there, roots and
 * signatures included, and a model that hangs or crashes while it is tried takes no instance along.
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { PublishRequest, RevisionView, SlotRequest } from '../console/console-api.ts'
import type { ModelSource } from '../console/console-source.ts'
import { ERROR_CODES, type ErrorCode, RunInferenceError } from '../errors.ts'
import { forChildProcess } from '../load-settings.ts'
import { parseSlot, slotText } from '../refresh/slot.ts'
import { settingFlag } from '../settings-names.ts'
import { settingsHelp } from '../settings-schema.ts'
import type { TopologyFlags } from './connect.ts'
import { consoleName } from './console-parts.ts'
import { modelsAbortCommand, modelsPromoteCommand, modelsRollbackCommand } from './models-command.ts'
import { modelsPublishCommand } from './models-publish-command.ts'

const MAX_OUTPUT_BYTES = 4 * 2 ** 20

/** What `--json` of a command that changes models prints, as far as it matters here. */
interface Printed {
  readonly slot?: string
  readonly state?: { readonly revision: number }
  readonly error?: { readonly code: string; readonly message: string }
}

/** `flags`: those of the command that has the console. */
export function commandModels(module: string, flags: TopologyFlags): ModelSource {
  return {
    publish: request => change(module, flags, 'publish', request.slot, publishWords(request), request.modelId),
    change: (what, request) => change(module, flags, what, request.slot, reasonWords(request)),
  }
}

function publishWords(request: PublishRequest): readonly string[] {
  const { modelName, mode, percent } = request
  if (mode === undefined && percent !== undefined)
    throw new RunInferenceError('SETTINGS_INVALID', 'percent is for trials: say mode, canary or shadow')
  if (mode === 'canary' && percent === undefined)
    throw new RunInferenceError('SETTINGS_INVALID', 'a canary needs percent, the share of the keys that it gets')
  return [
    ...(modelName === undefined ? [] : [`--name=${modelName}`]),
    ...(mode === undefined ? [] : [`--${mode}=${percent ?? 100}`]),
    ...reasonWords(request),
  ]
}

function reasonWords({ reason }: Pick<SlotRequest, 'reason'>): readonly string[] {
  return reason === undefined ? [] : [`--reason=${reason}`]
}

async function change(
  module: string,
  flags: TopologyFlags,
  what: string,
  slot: string,
  words: readonly string[],
  ...rest: readonly string[]
): Promise<RevisionView> {
  const { step, modelKey } = parseSlot(slot)
  const key = modelKey === undefined ? [] : [`--key=${slotText('', modelKey).slice(1)}`]
  const child = forChildProcess(flags)
  const args = [
    ...['models', what, ...settingWords(what, child.flags), `--step=${step}`, ...key, `--by=${consoleName()}`],
    // What somebody has written is behind these, or the value of a flag: it is never taken for a flag.
    ...[...words, '--json', '--', module, ...rest],
  ]
  const { slot: changed, state, error } = await run(args, child.env)
  if (error !== undefined) throw new RunInferenceError(codeOf(error.code), error.message.replace(/^\[\w+\] /, ''))
  return { slot: changed ?? slot, revision: state?.revision ?? 0 }
}

/** Of the settings that were given as flags, those that the command takes. */
function settingWords(what: string, { param = {}, config, ...flags }: TopologyFlags): readonly string[] {
  const specs = [modelsPublishCommand, modelsRollbackCommand, modelsPromoteCommand, modelsAbortCommand]
  const groups = specs.find(({ name }) => name === `models ${what}`)?.settings ?? []
  const taken = settingsHelp().filter(({ name, group }) => groups.includes(group) && flags[name] !== undefined)
  return [
    ...taken.map(({ name }) => `${settingFlag(name)}=${flags[name]}`),
    ...Object.entries(param).map(([name, value]) => `--param=${name}${value === true ? '' : `=${value}`}`),
    ...(config === undefined ? [] : [`--config=${config}`]),
  ]
}

function run(args: readonly string[], env: Readonly<Record<string, string | undefined>>): Promise<Printed> {
  // Beside this file, in the sources and in the build.
  const main = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './main.ts' : './main.js', import.meta.url))
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [...process.execArgv, main, ...args],
      { env, maxBuffer: MAX_OUTPUT_BYTES },
      (error, stdout, stderr) => {
        const line = stdout.trim().split('\n').at(-1) ?? ''
        try {
          resolve(JSON.parse(line) as Printed)
        } catch {
          const said = stderr.trim().split('\n').at(-1) || error?.message || 'it said nothing'
          reject(
            new RunInferenceError(
              'MODEL_UNUSABLE',
              `the command that changes models has ended without an answer: ${said}`,
            ),
          )
        }
      },
    )
  })
}

function codeOf(code: string): ErrorCode {
  return Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : 'SETTINGS_INVALID'
}
