import { createRequire } from 'node:module'
import type { DestinationStream, LoggerOptions } from 'pino'
import { masked } from '../credentials.ts'

/** The four methods that this project logs with; facts go into `fields`, one line per event, never per record. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  child(fields: object): Logger
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/**
 * JSON lines through pino, to standard error unless told otherwise: standard output belongs to the commands. Addresses are written
 * without users, passwords and values of queries, in whichever fact or message they stand.
 */
export function createLogger(level: LogLevel, destination?: DestinationStream): Logger {
  // Loaded with the first logger: whoever needs the silent one imports this file too.
  const { pino } = createRequire(import.meta.url)('pino') as typeof import('pino')
  const options: LoggerOptions = {
    ...{ level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    hooks: {
      logMethod(written, method) {
        method.apply(this, written.map(each => masked(each)) as typeof written)
      },
    },
  }
  return pino(options, destination ?? pino.destination(2))
}

const ignore = () => {}

/** Says nothing; for tests and for callers that do not care. */
export const silentLogger: Logger = {
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
  child: () => silentLogger,
}
