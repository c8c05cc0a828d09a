import { styleText } from 'node:util'

/** Where progress is shown: a bar that moves on a terminal, a plain line now and then elsewhere. */
export interface Screen {
  line(text: string): void
  /** One step of the work. `progress` is cheap and may be called often; `done` says how it went. */
  step(name: string): { progress(text: string, share?: number): void; done(text: string): void }
  /** Takes the unfinished step off the screen. */
  clear(): void
}

const BAR_CHARS = 24
const NAME_CHARS = 11
const REDRAW_MS = 80
const PLAIN_EVERY_MS = 2_000

export function createScreen(stream: NodeJS.WriteStream): Screen {
  const terminal = stream.isTTY === true
  const clear = () => void (terminal && stream.write('\r\x1b[2K'))
  return {
    line: text => void stream.write(`${text}\n`),
    step(name) {
      const label = `  ${styleText('bold', name.padEnd(NAME_CHARS), { stream })}`
      const startedAtMs = performance.now()
      let shownAtMs = terminal ? 0 : startedAtMs
      return {
        progress(text, share) {
          const now = performance.now()
          if (now - shownAtMs < (terminal ? REDRAW_MS : PLAIN_EVERY_MS)) return
          shownAtMs = now
          if (!terminal) stream.write(`${label}${text}\n`)
          // Cut to the width: a line that wraps cannot be taken back.
          else stream.write(`\r\x1b[2K${label}${`${bar(share)}${text}`.slice(0, stream.columns - NAME_CHARS - 3)}`)
        },
        done(text) {
          const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1)
          clear()
          stream.write(`${label}${text} ${styleText('dim', `(${seconds} s)`, { stream })}\n`)
        },
      }
    },
    clear,
  }
}

function bar(share: number | undefined): string {
  if (share === undefined) return ''
  const full = Math.round(Math.min(1, Math.max(0, share)) * BAR_CHARS)
  return `${'█'.repeat(full)}${'░'.repeat(BAR_CHARS - full)} `
}
