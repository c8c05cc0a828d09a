/** docs/commands.md and docs/settings.md, from the table of commands and the schema of settings. */
import { EXIT_CODES } from '../src/cli/command.ts'
import { COMMANDS } from '../src/cli/commands.ts'
import { createProgram } from '../src/cli/program.ts'
import { settingFlag, settingVariable } from '../src/settings-names.ts'
import { type SettingGroup, type SettingHelp, settingsHelp } from '../src/settings-schema.ts'

const HELP_WIDTH = 110
const GROUPS: Readonly<Record<SettingGroup, string>> = {
  connection: 'Connections and log: every command that talks to a cluster',
  run: '`kri run` and `kri check`',
  console: '`kri run` and `kri console`',
  models: 'Where models come from: every command that loads them',
  replay: '`kri dlq replay` and the console',
  topics: '`kri topics plan` and `kri topics apply`',
}

/** File, from the root, and content. */
export function generatedPages(): ReadonlyMap<string, string> {
  return new Map([
    ['docs/commands.md', commandsPage()],
    ['docs/settings.md', settingsPage()],
  ])
}

function commandsPage(): string {
  const codes = Object.entries(EXIT_CODES).map(([code, meaning]) => `| ${code} | ${meaning} |`)
  const special = COMMANDS.flatMap(({ name, exitCodes = {} }) =>
    Object.entries(exitCodes).map(([code, meaning]) => `| \`kri ${name}\` | ${code} | ${meaning} |`),
  )
  const json = COMMANDS.map(({ name, json: printed }) => `| \`kri ${name}\` | ${printed} |`)
  const sections = COMMANDS.map(({ name }) => `## kri ${name}\n\n\`\`\`text\n${helpOf(name)}\n\`\`\`\n`)
  return `\
# Commands

Written by \`npm run docs\` from the commands themselves; a test keeps it so. In a clone of this project a command is
\`npm run kri -- …\`, where the package is installed \`npx --no-install kri …\`.

## Exit codes

| code | meaning |
|---|---|
${codes.join('\n')}

Where they say more:

| command | code | meaning |
|---|---|---|
${special.join('\n')}

## For scripts

With \`--json\` standard output holds JSON and nothing else: what the table says, or one object
\`{"error":{"code":"…","message":"…"}}\` when the exit code is not 0 and no result says why. The codes are those of
[errors.md](errors.md), and \`USAGE\` for a command line that is wrong. Logs and progress go to standard error; the log is
a JSON object per line.

| command | what \`--json\` prints |
|---|---|
${json.join('\n')}

${sections.join('\n')}`
}

/** As a terminal of this width shows it. */
function helpOf(name: string): string {
  let help = ''
  const output = {
    writeOut: (text: string) => {
      help += text
    },
    getOutHelpWidth: () => HELP_WIDTH,
  }
  const program = createProgram({ version: '', settings: settingsHelp(), output })
  const command = name.split(' ').reduce((parent, word) => parent.commands.find(each => each.name() === word)!, program)
  command.outputHelp()
  return help.trimEnd()
}

function settingsPage(): string {
  const settings = settingsHelp()
  const sections = Object.entries(GROUPS).map(([group, title]) => {
    const rows = settings.filter(each => each.group === group).map(settingRow)
    return `## ${title}\n\n| setting | flag | variable | default | meaning |\n|---|---|---|---|---|\n${rows.join('\n')}\n`
  })
  return `\
# Settings

Written by \`npm run docs\` from \`src/settings-schema.ts\`; a test keeps it so.

A setting is taken from the first of these that has it: a flag, the environment, the settings file, its default. The file
is \`kri.json\` in the working directory, or what \`--config\` names: a JSON object by the names of the first column, e.g.
\`{ "brokers": "kafka-1:9092,kafka-2:9092", "lanes": 4 }\`. All problems of all sources are told at once, each with where
its value came from. Passwords belong into files or the environment ([security.md](security.md)): they are masked wherever
settings are shown.

${sections.join('\n')}
## Variables for local clusters

They are no settings: \`kri cluster\`, \`npm run demo\` and the tests read them.

| variable | default | meaning |
|---|---|---|
| \`KRI_CACHE_FOLDER\` | \`$XDG_CACHE_HOME/kafka-run-inference\`, else \`~/.cache/kafka-run-inference\` | what was fetched, logs, and where the cluster of \`kri cluster up\` is: there is one for each such folder |
| \`KRI_CLUSTER\` | containers if Docker's engine answers, else Java processes | \`docker\` or \`jvm\`: only that |
`
}

function settingRow({ name, help, choices, fallback }: SettingHelp): string {
  // One that depends on the machine says so itself.
  const own = /\s*\(default: (.+)\)$/.exec(help)?.[1]
  const shown = own ?? (fallback === undefined ? '' : String(fallback))
  const plain = help.replace(/\s*\((?:default: .+|no default)\)$/, '')
  const meaning = choices === undefined ? plain : `${plain} (${choices.join(', ')})`
  return `| ${name} | \`${settingFlag(name)}\` | \`${settingVariable(name)}\` | ${shown} | ${meaning} |`
}
