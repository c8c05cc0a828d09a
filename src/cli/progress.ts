const BAR_WIDTH = 24
const REDRAW_MS = 100
const LINE_EVERY_MS = 5_000

/** One line about what goes on, drawn over itself on a terminal, and repeated now and then anywhere else. */
export interface Progress {
  /** `fraction` (0 to 1) draws a bar; undefined where the end is not known. */
  show(text: string, fraction?: number): void
  /** Takes the line away, so that something else can be printed. */
  clear(): void
}

/** Writes to standard error, which standard output (data, `--json`) is kept apart from. */
export function createProgress(stream: NodeJS.WriteStream = process.stderr, now = () => performance.now()): Progress {
  let shownAt = Number.NEGATIVE_INFINITY
  let drawn = false
  let lastStep = ''
  return {
    show(text, fraction) {
      // What stands before the colon is the step; a new one is always shown.
      const step = text.split(':')[0]!
      const isNew = step !== lastStep
      if (!isNew && now() - shownAt < (stream.isTTY ? REDRAW_MS : LINE_EVERY_MS)) return
      shownAt = now()
      lastStep = step
      const percent = fraction === undefined ? '' : `${Math.floor(100 * Math.min(1, Math.max(0, fraction)))} % `
      if (stream.isTTY)
        stream.write(
          `\r\x1b[2K${`${bar(fraction)}${fraction === undefined ? '' : percent.padStart(7)}${text}`.slice(0, stream.columns - 1)}`,
        )
      else stream.write(`${percent}${text}\n`)
      drawn = stream.isTTY
    },
    clear() {
      if (drawn) stream.write('\r\x1b[2K')
      drawn = false
    },
  }
}

function bar(fraction: number | undefined): string {
  if (fraction === undefined) return ''
  const full = Math.round(Math.min(1, Math.max(0, fraction)) * BAR_WIDTH)
  return '█'.repeat(full) + '░'.repeat(BAR_WIDTH - full)
}
