import type { CommandSpec } from './command.ts'
import type { ShellName } from './completion.ts'

/** Given the table that it stands in itself. */
export const completionCommand = (
  commands: () => readonly CommandSpec[],
  groups: () => Readonly<Record<string, string>>,
): CommandSpec => ({
  name: 'completion',
  summary: 'print a script that completes commands, flags, values and topology files in a shell',
  argument: { name: '<shell>', help: 'which shell', choices: ['bash', 'zsh', 'fish'], completes: 'choices' },
  examples: [
    ['completion bash > ~/.local/share/bash-completion/completions/kri', 'bash, from the next shell on'],
    ['completion zsh > ~/.zfunc/_kri', 'zsh, where ~/.zfunc is in fpath before compinit'],
    ['completion fish > ~/.config/fish/completions/kri.fish', 'fish, at once'],
  ],
  json: 'one object: shell, script',
  load: async () => {
    const { completion } = await import('./completion.ts')
    return (shell: ShellName, flags: { readonly json?: boolean }) =>
      completion(shell, { ...flags, commands: commands(), groups: groups() })
  },
})
