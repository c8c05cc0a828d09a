import { once } from 'node:events'
import { applicationSource } from '../console/application-source.ts'
import { type ConsoleServer, createConsoleServer } from '../console/console-server.ts'
import { RunInferenceError } from '../errors.ts'
import { systemClock } from '../ops/clock.ts'
import { withSession } from './command-session.ts'
import type { TopologyFlags } from './connect.ts'
import { commandModels } from './console-models.ts'
import { accessOf, consoleParts } from './console-parts.ts'

const PORT = 8080
const HOST = '127.0.0.1'

export interface ConsoleFlags extends TopologyFlags {
  readonly port?: number
  readonly host?: string
  readonly json?: boolean
}

/** Serves the console of the whole application until a signal. */
export async function serveConsole(module: string, flags: ConsoleFlags): Promise<void> {
  const { port = PORT, host = HOST, json, ...settings } = flags
  let isTerminated = false
  const terminated = () => {
    isTerminated = true
  }
  process.on('SIGTERM', terminated)
  try {
    await withSession(module, settings, async session => {
      const server = await createConsoleServer({
        source: applicationSource({ ...consoleParts(session), models: commandModels(module, settings) }),
        access: accessOf(session.settings),
        clock: systemClock,
      })
      try {
        const url = await listen(server, port, host)
        console.log(json === true ? JSON.stringify({ url }) : `console: ${url}`)
        if (!session.signal.aborted) await once(session.signal, 'abort')
      } finally {
        await server.close()
      }
    })
  } finally {
    process.off('SIGTERM', terminated)
  }
  if (isTerminated) process.exitCode = 0
}

async function listen(server: ConsoleServer, port: number, host: string): Promise<string> {
  try {
    return await server.listen(port, host)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const why = code === 'EADDRINUSE' ? 'another process listens there' : message
    throw new RunInferenceError(
      'SETTINGS_INVALID',
      `the console cannot listen on ${host}:${port}: ${why}. Choose another: --port (0 = any free one) or --host`,
      { cause: error },
    )
  }
}
