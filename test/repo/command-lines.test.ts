// Command lines in documents, help and messages: what they name exists.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type CommandSpec, JSON_OPTION, type OptionSpec, TOPOLOGY_OPTIONS } from '../../src/cli/command.ts'
import { COMMAND_GROUPS, COMMANDS, commandOf } from '../../src/cli/commands.ts'
import { settingFlag } from '../../src/settings-names.ts'
import { settingsHelp } from '../../src/settings-schema.ts'
import { documents, snippets } from './documents.ts'
import { sourceFiles } from './source-files.ts'

/** What is wrong with the words behind `kri`; undefined when nothing is. */
function problem(line: string): string | undefined {
  const words = line.replace(/\s+#.*$/, '').split(/\s+/)
  const spec = commandOf(words)
  if (spec === undefined) {
    const rest = words[0]! in COMMAND_GROUPS ? words.slice(1) : words
    const known = rest.every(word => ['--help', '--version', '-V', '-h', '…', ''].includes(word))
    return known && (words[0]! in COMMAND_GROUPS || words[0]!.startsWith('-') || words[0] === '…')
      ? undefined
      : 'no such command'
  }
  const flags = flagsOf(spec)
  for (const word of words.filter(each => /^--?[a-z]/.test(each))) {
    const [flag, value] = word.split('=')
    const option = flags.get(flag!)
    if (option === undefined) return `${spec.name} has no ${flag}`
    const given = value ?? (option.flags.includes('<') ? words[words.indexOf(word) + 1] : undefined)
    if (given !== undefined && option.choices !== undefined && !option.choices.includes(given) && !/^[<…]/.test(given))
      return `${flag} does not take ${given}`
  }
  return undefined
}

function flagsOf(spec: CommandSpec): ReadonlyMap<string, Pick<OptionSpec, 'flags' | 'choices'>> {
  const settings = settingsHelp().filter(({ group }) => spec.settings?.includes(group) === true)
  const options = [
    ...(spec.options ?? []),
    ...(spec.settings === undefined ? [] : TOPOLOGY_OPTIONS),
    ...settings.map(({ name }) => ({ flags: `${settingFlag(name)} <value>` })),
    ...[JSON_OPTION, { flags: '--help' }],
  ]
  return new Map(options.map(option => [option.flags.split(' ')[0]!, option]))
}

/** The words behind each `kri` that stands where a command is typed. */
function commandLines(text: string): readonly string[] {
  return [...text.matchAll(/^\s*(?:\$ )?(?:\w+=\S+ )*(?:npm run |npx )?kri (?:-- )?(.+)$/gm)].map(match => match[1]!)
}

describe('command lines that are written somewhere', () => {
  const pages = documents()

  test('in shell blocks of the documents', () => {
    const lines = pages.flatMap(page =>
      snippets(page, 'sh').flatMap(({ where, text }) => commandLines(text).map(line => ({ where, line }))),
    )
    assert.ok(lines.length > 3)
    const wrong = lines
      .map(each => ({ ...each, problem: problem(each.line) }))
      .filter(each => each.problem !== undefined)
    assert.deepEqual(wrong, [])
  })

  test('in the text of the documents', () => {
    const lines = pages.flatMap(({ path, text }) =>
      [...text.matchAll(/`((?:npm run |npx )?kri (?:-- )?[^`]+)`/g)].flatMap(([, code]) =>
        commandLines(code!).map(line => ({ path, line })),
      ),
    )
    assert.ok(lines.length > 3)
    const wrong = lines
      .map(each => ({ ...each, problem: problem(each.line) }))
      .filter(each => each.problem !== undefined)
    assert.deepEqual(wrong, [])
  })

  test('in the examples of the help', () => {
    const lines = COMMANDS.flatMap(({ examples }) => examples.map(([line]) => line))
    assert.deepEqual(
      lines.filter(line => problem(line) !== undefined),
      [],
    )
  })

  test('in messages: a remedy is a command that exists', () => {
    const firstWords = new Set([...COMMANDS.map(({ name }) => name.split(' ')[0]!), ...Object.keys(COMMAND_GROUPS)])
    // A flag behind the command must be one that it has; prose ends where a word is neither.
    const wrong = sourceFiles('src').flatMap(({ path, text }) =>
      [...text.matchAll(/\bkri ([a-z]+(?: [a-z]+)?(?: --[a-z-]+)?)(?![\w(])/g)]
        .map(match => match[1]!)
        .filter(line => firstWords.has(line.split(' ')[0]!))
        .filter(line => {
          const [first, second] = line.split(' ')
          const spec = commandOf([first!, second ?? ''])
          if (spec === undefined)
            return !(first! in COMMAND_GROUPS) || (second !== undefined && !second.startsWith('-') && second !== 'down')
          const flag = /--\S+/.exec(line)?.[0]
          return flag !== undefined && !flagsOf(spec).has(flag)
        })
        .map(line => `${path}: kri ${line}`),
    )
    assert.deepEqual(wrong, [])
  })
})
