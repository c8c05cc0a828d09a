import { createLogger, type Logger } from '../src/ops/logger.ts'

const MAX_LINES = 20

/**
 * Keeps the last warnings and errors: a cluster that has just come up answers many a question with "not yet", which is
 * tried again and of interest only when the demo fails.
 */
export function createKeptLog(): { readonly logger: Logger; readonly lines: readonly string[] } {
  const lines: string[] = []
  const write = (line: string) => {
    lines.push(line.trimEnd())
    if (lines.length > MAX_LINES) lines.shift()
  }
  return { logger: createLogger('warn', { write }), lines }
}
