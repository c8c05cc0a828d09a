import type { CompletedCommand, Offer } from './completion.ts'

/** For bash 4 and newer. */
export function bashCompletion(
  commands: readonly CompletedCommand[],
  groups: Readonly<Record<string, string>>,
): string {
  const firstWords = [...new Set(commands.map(({ name }) => name.split(' ')[0]!))]
  const groupNames = Object.keys(groups)
  const secondWords = groupNames.map(group => {
    const words = commands.filter(({ name }) => name.startsWith(`${group} `)).map(({ name }) => name.split(' ')[1])
    return `    ${group})\n      if (( COMP_CWORD == 2 )); then _kri_words ${quote(words.join(' '))}; return; fi\n      command="$first \${COMP_WORDS[2]}" ;;`
  })
  return `\
# bash completion for kri
_kri_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur"); }
_kri_files() { compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); }
_kri_folders() { compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); }
_kri_topologies() {
  compopt -o filenames
  mapfile -t COMPREPLY < <(compgen -d -- "$cur"; compgen -f -- "$cur" | grep -E '\\.[cm]?[jt]s$')
}
_kri() {
  local cur=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} first=\${COMP_WORDS[1]} command
  COMPREPLY=()
  if (( COMP_CWORD == 1 )); then _kri_words ${quote([...firstWords, '--help', '--version'].join(' '))}; return; fi
  case $first in
${secondWords.join('\n')}
    *) command=$first ;;
  esac
  # bash cuts words at "=".
  [[ $cur == = ]] && cur=
  [[ $previous == = ]] && previous=\${COMP_WORDS[COMP_CWORD-2]}
  case "$command $previous" in
${commands.flatMap(valueArms).join('\n')}
  esac
  case $command in
${commands.map(commandArm).join('\n')}
  esac
}
complete -F _kri kri
`
}

/** After a flag that takes a value. */
function valueArms({ name, flags }: CompletedCommand): readonly string[] {
  const byOffer = Map.groupBy(
    flags.filter(({ value }) => value !== undefined),
    ({ value }) => offer(value!),
  )
  return [...byOffer].map(
    ([action, same]) => `    ${same.map(({ flag }) => quote(`${name} ${flag}`)).join('|')}) ${action}; return ;;`,
  )
}

function commandArm({ name, argument, rest, flags }: CompletedCommand): string {
  const words = `_kri_words ${quote(flags.map(({ flag }) => flag).join(' '))}`
  // Which word it is it does not count: of files, all are offered.
  const otherwise = argument === undefined ? words : offer(rest ?? argument)
  return `    ${quote(name)}) if [[ $cur == -* ]]; then ${words}; else ${otherwise}; fi ;;`
}

function offer(what: Offer): string {
  if (typeof what !== 'string') return `_kri_words ${quote(what.join(' '))}`
  return { file: '_kri_files', folder: '_kri_folders', topology: '_kri_topologies', any: ':' }[what]
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
