import type { CompletedCommand, Offer } from './completion.ts'

export function fishCompletion(
  commands: readonly CompletedCommand[],
  groups: Readonly<Record<string, string>>,
): string {
  const firstWords = [
    ...commands.filter(({ name }) => !name.includes(' ')).map(({ name, summary }) => [name, summary]),
    ...Object.entries(groups),
  ]
  const lines = [
    '# fish completion for kri',
    'complete -c kri -f',
    ...firstWords.map(([word, help]) => `complete -c kri -n __fish_use_subcommand -a ${word} -d ${quote(help!)}`),
    ...commands
      .filter(({ name }) => name.includes(' '))
      .map(({ name, summary }) => {
        const [first, second] = name.split(' ')
        const others = commands
          .filter(other => other.name.startsWith(`${first} `))
          .map(other => other.name.split(' ')[1])
        const condition = `__fish_seen_subcommand_from ${first}; and not __fish_seen_subcommand_from ${others.join(' ')}`
        return `complete -c kri -n ${quote(condition)} -a ${second} -d ${quote(summary)}`
      }),
    ...commands.flatMap(commandLines),
  ]
  return `${lines.join('\n')}\n`
}

function commandLines({ name, argument, rest, flags }: CompletedCommand): readonly string[] {
  const condition = quote(
    name
      .split(' ')
      .map(word => `__fish_seen_subcommand_from ${word}`)
      .join('; and '),
  )
  const start = `complete -c kri -n ${condition}`
  return [
    ...[argument, rest].filter(what => what !== undefined).map(what => `${start} ${offer(what)}`),
    ...flags.map(({ flag, help, value }) => {
      // A value that is required brings files along unless it is exclusive.
      const required = value === 'file' ? '-r' : '-x'
      const values = value === undefined ? '' : ` ${required} ${offer(value)}`.trimEnd()
      return `${start} -l ${flag.slice(2)}${values} -d ${quote(help)}`
    }),
  ]
}

function offer(what: Offer): string {
  if (typeof what !== 'string') return `-a ${quote(what.join(' '))}`
  const suffixes = ['ts', 'mts', 'js', 'mjs'].map(suffix => `.${suffix}`).join(' ')
  return {
    ...{ file: '-F', any: '', folder: "-a '(__fish_complete_directories)'" },
    topology: `-a '(for suffix in ${suffixes}; __fish_complete_suffix $suffix; end)'`,
  }[what]
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
