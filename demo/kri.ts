/** Commands as an operator runs them: `kri` in a process of its own, which ends when this one does, however it does. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const KRI = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url))
const END_WITH_PARENT = new URL('../scripts/end-with-parent.mjs', import.meta.url).href

export interface Kri {
  readonly child: ChildProcess
  /** All of its output has come: the exit code, null after a signal. */
  readonly ended: Promise<number | null>
}

/** Whatever still runs when the resources are closed is asked to end, and waited for. */
export function startKri(
  words: readonly string[],
  resources: AsyncDisposableStack,
  env: Readonly<Record<string, string>> = {},
): Kri {
  const child = spawn(process.execPath, ['--conditions=kri-source', `--import=${END_WITH_PARENT}`, KRI, ...words], {
    env: { ...process.env, ...env },
    // The channel closes when this process dies, and the command ends.
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const ended = once(child, 'close').then(([code]) => code as number | null)
  resources.defer(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
    await ended
  })
  return { child, ended }
}
