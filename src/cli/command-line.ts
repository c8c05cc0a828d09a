import { masking, withoutCredentials } from '../credentials.ts'
import { RunInferenceError } from '../errors.ts'
import type { SettingHelp } from '../settings-schema.ts'
import type { CommandSpec } from './command.ts'
import { commandOf } from './commands.ts'
import { packageVersion } from './package-version.ts'
import { createProgram, usageError } from './program.ts'

/** Not one of the codes of errors: the command line itself is wrong. */
const USAGE = 'USAGE'

/** Runs what these words of a command line say; what goes wrong is told, and is the exit code of this process. */
export async function main(words: readonly string[]): Promise<void> {
  const json = words.includes('--json')
  // Whoever reads our output (`| head`) may have seen enough.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
  const spec = commandOf(words)
  const program = createProgram({
    version: packageVersion(),
    settings: await settingsOf(spec),
    output: json ? { writeErr: () => {} } : {},
  })
  try {
    await program.parseAsync(words, { from: 'user' })
  } catch (error) {
    const usage = usageError(error)
    process.exitCode = usage?.exitCode ?? 1
    if (process.exitCode === 0 || (usage !== undefined && !json)) return
    tell(error, usage?.message, json)
  }
}

/** Reading their table takes a tenth of a second, which help in general need not wait for. */
async function settingsOf(spec: CommandSpec | undefined): Promise<readonly SettingHelp[]> {
  return spec?.settings === undefined ? [] : (await import('../settings-schema.ts')).settingsHelp()
}

/** For a script, on standard output; for a person what can be acted on, and for a bug its stack too. */
function tell(error: unknown, usage: string | undefined, json: boolean): void {
  const isOurs = error instanceof RunInferenceError && error.code !== 'BUG'
  const text = error instanceof Error ? error.message : String(error)
  if (json) {
    const code = usage === undefined ? RunInferenceError.from(error, 'BUG').code : USAGE
    const message = usage ?? text.replace(`[${code}] `, '')
    console.log(JSON.stringify({ error: { code, message } }, masking))
  } else console.error(withoutCredentials(`kri: ${isOurs || !(error instanceof Error) ? text : (error.stack ?? text)}`))
}
