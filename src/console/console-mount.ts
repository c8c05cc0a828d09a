import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Logger } from '../ops/logger.ts'
import type { ConsoleServer } from './console-server.ts'

/** A console inside another server. */
export interface ConsoleMount {
  /** For requests whose path is `/console` or below it. */
  handle(request: IncomingMessage, response: ServerResponse): void
  /** Ends its listeners and stops its replays. Safe to call twice. */
  close(): Promise<void>
}

/** Makes the console at the first request: an instance that nobody looks at has nothing of it in memory. */
export function mountConsole(make: () => Promise<ConsoleServer>, logger: Logger): ConsoleMount {
  let made: Promise<ConsoleServer> | undefined
  let closing: Promise<void> | undefined
  const refuse = (response: ServerResponse, status: number, code: string, message: string) => {
    response
      .writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
      .end(JSON.stringify({ code, message: `[${code}] ${message}` }))
  }
  return {
    handle(request, response) {
      if (closing !== undefined) return refuse(response, 503, 'CLOSED', 'the instance is being stopped')
      made ??= make()
      made.then(
        server => server.handle(request, response),
        (error: Error) => {
          // Whoever asks next tries again.
          made = undefined
          logger.error({ err: error.message, stack: error.stack }, 'the console cannot be made')
          refuse(response, 500, 'BUG', 'the console cannot be made: the log of the instance says why')
        },
      )
    },
    close() {
      closing ??= made?.then(server => server.close()) ?? Promise.resolve()
      return closing.catch(() => {})
    },
  }
}

/** Whether `kri run` has a console: as the setting says, else where only this machine can ask for it. */
export function hasConsole({
  console,
  httpHost,
}: {
  readonly console?: 'on' | 'off' | undefined
  readonly httpHost: string
}): boolean {
  if (console !== undefined) return console === 'on'
  return httpHost === 'localhost' || httpHost === '::1' || /^127(\.\d{1,3}){3}$/.test(httpHost)
}
