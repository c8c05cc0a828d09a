import type { Logger } from '../ops/logger.ts'
import { createProgress } from './progress.ts'

const LOG_EVERY_MS = 5_000

/** How far `--until-end` has come: a bar on a terminal, a log line now and then anywhere else. */
export interface RunProgress {
  /** Where log lines go, so that they and the bar do not mix. */
  readonly destination: { write(line: string): void } | undefined
  show(logger: Logger, done: number, total: number): void
  clear(): void
}

export function createRunProgress(now: () => number): RunProgress {
  const onTerminal = process.stderr.isTTY
  const bar = createProgress()
  let startedAt: number | undefined
  let loggedAt = now()
  return {
    destination: onTerminal
      ? {
          write(line) {
            bar.clear()
            process.stderr.write(line)
          },
        }
      : undefined,
    show(logger, done, total) {
      // From here on: starting is not part of the rate.
      startedAt ??= now()
      const perSecond = (1000 * done) / Math.max(1, now() - startedAt)
      const seconds = done === 0 ? undefined : Math.ceil((total - done) / perSecond)
      if (onTerminal) {
        bar.show(`run: ${progressText(done, total, perSecond, seconds)}`, total === 0 ? 1 : done / total)
      } else if (now() - loggedAt >= LOG_EVERY_MS) {
        loggedAt = now()
        logger.info({ done, total, perSecond: Math.round(perSecond), secondsLeft: seconds }, 'until the end')
      }
    },
    clear: () => bar.clear(),
  }
}

/** `1,234 of 5,000 records, 800/s, 5 s left` */
export function progressText(done: number, total: number, perSecond: number, secondsLeft: number | undefined): string {
  const whole = (number: number) => Math.round(number).toLocaleString('en-US')
  const left = secondsLeft === undefined ? '' : `, ${duration(secondsLeft)} left`
  return `${whole(done)} of ${whole(total)} records, ${whole(perSecond)}/s${left}`
}

function duration(seconds: number): string {
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
