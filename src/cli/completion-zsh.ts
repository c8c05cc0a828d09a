import type { CompletedCommand, CompletedFlag, Offer } from './completion.ts'

export function zshCompletion(commands: readonly CompletedCommand[], groups: Readonly<Record<string, string>>): string {
  const single = commands.filter(({ name }) => !name.includes(' '))
  const described = [
    ...single.map(({ name, summary }) => `${name}:${summary}`),
    ...Object.entries(groups).map(([name, help]) => `${name}:${help}`),
  ]
  const groupArms = Object.keys(groups).map(group => {
    const inGroup = commands.filter(({ name }) => name.startsWith(`${group} `))
    const second = inGroup.map(({ name, summary }) => `${name.split(' ')[1]}:${summary}`)
    return `\
    ${group})
      if (( CURRENT == 3 )); then _kri_described ${second.map(quote).join(' ')}; return; fi
      case $words[3] in
${inGroup.map(command => arm(command.name.split(' ')[1]!, 3, command)).join('\n')}
      esac ;;`
  })
  return `\
#compdef kri
# zsh completion for kri
_kri_described() { local -a described=("$@"); _describe command described }
_kri() {
  if (( CURRENT == 2 )); then _kri_described ${described.map(quote).join(' ')}; return; fi
  case $words[2] in
${groupArms.join('\n')}
${single.map(command => arm(command.name, 2, command)).join('\n')}
  esac
}
if [[ $funcstack[1] == _kri ]]; then _kri "$@"; else compdef _kri kri; fi
`
}

/** \`at\`: how many words stand before the flags. */
function arm(word: string, at: number, { flags, argument, rest }: CompletedCommand): string {
  const words = [argument && `1:argument:${offer(argument)}`, rest && `*:argument:${offer(rest)}`]
  const specs = [...flags.map(flagSpec), ...words.filter(spec => spec !== undefined).map(quote)]
  return `    ${word}) shift ${at - 1} words; (( CURRENT -= ${at - 1} )); _arguments -S ${specs.join(' ')} ;;`
}

function flagSpec({ flag, help, value }: CompletedFlag): string {
  const text = help.replaceAll(/[[\]:]/g, character => `\\${character}`)
  const repeated = flag === '--param' ? '*' : ''
  const name = value === undefined ? flag : `${flag}=`
  return quote(`${repeated}${name}[${text}]${value === undefined ? '' : `:value:${offer(value)}`}`)
}

function offer(what: Offer): string {
  if (typeof what !== 'string') return `(${what.join(' ')})`
  return { file: '_files', folder: '_files -/', topology: '_files -g "*.(ts|mts|js|mjs)"', any: ' ' }[what]
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
