/** A console on loopback, asked as any client can: with every header and path, also those that browsers never send. */
import { type IncomingMessage, request } from 'node:http'
import type { TestContext } from 'node:test'
import { type ConsoleServer, type ConsoleServerOptions, createConsoleServer } from '../../src/console/console-server.ts'
import type { ConsoleSource } from '../../src/console/console-source.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { fixtureSource } from '../console/fixture-source.ts'

export const TOKEN = 'a-token-of-a-test'

export interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
}

export interface AskOptions {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export interface TestConsole {
  readonly server: ConsoleServer
  readonly port: number
  readonly origin: string
  ask(path: string, options?: AskOptions): Promise<Answer>
  /** As the page does it: same origin, token, JSON. */
  post(path: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>
  /** Opens a stream; resolves with its response. */
  stream(path: string): Promise<IncomingMessage>
}

export async function testConsole(
  t: TestContext,
  {
    source = {},
    ...options
  }: Partial<Omit<ConsoleServerOptions, 'source'>> & { readonly source?: Partial<ConsoleSource> } = {},
): Promise<TestConsole> {
  const server = await createConsoleServer({
    access: { hosts: [], token: TOKEN },
    clock: systemClock,
    ...options,
    source: { ...fixtureSource(), ...source },
  })
  t.after(() => server.close())
  const { port, origin } = new URL(await server.listen(0, '127.0.0.1'))
  const open = (path: string, { method = 'GET', headers = {}, body }: AskOptions = {}) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, resolve)
      sent.on('error', reject)
      sent.end(body)
    })
  const ask = async (path: string, asked: AskOptions = {}): Promise<Answer> => {
    const response = await open(path, asked)
    let text = ''
    for await (const part of response.setEncoding('utf8')) text += part
    return { status: response.statusCode!, headers: response.headers, text }
  }
  return {
    ...{ server, port: Number(port), origin, ask, stream: open },
    post: (path, body, headers = {}) =>
      ask(path, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { origin, authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', ...headers },
      }),
  }
}
