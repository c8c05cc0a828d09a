/** The console over HTTP: the page, what it asks for, and snapshots. It listens by itself, or is given requests by another server. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import { masked } from '../credentials.ts'
import { isRetriable, RunInferenceError } from '../errors.ts'
import type { Clock } from '../ops/clock.ts'
import {
  type ConsoleAccess,
  type Refusal,
  refusal,
  refusalOfAsking,
  refusalOfChange,
  refusalOfHost,
  SECURITY_HEADERS,
} from './console-guard.ts'
import { type ConsoleRoute, consoleRoutes } from './console-routes.ts'
import type { ConsoleSource } from './console-source.ts'
import { type PageAsset, readPageAssets } from './page-assets.ts'
import { createSnapshotFeed, type SnapshotFeed, type SnapshotFeedOptions } from './snapshot-feed.ts'

const MAX_BODY_BYTES = 64 * 1024
const API = '/console/api/'

export interface ConsoleServerOptions extends Pick<SnapshotFeedOptions, 'maxListeners' | 'maxBufferedBytes'> {
  readonly source: ConsoleSource
  readonly access: ConsoleAccess
  readonly clock: Clock
  /** Asked for each file of the page. Default: what was there at the start. */
  readonly assets?: () => ReadonlyMap<string, PageAsset>
}

export interface ConsoleServer {
  /** Answers a request whose path is `/console` or below it. */
  handle(request: IncomingMessage, response: ServerResponse): void
  /** Port 0 = any free one. Gives the address of the page. */
  listen(port: number, host: string): Promise<string>
  /** Ends all listeners and connections, then the source. */
  close(): Promise<void>
}

export async function createConsoleServer(options: ConsoleServerOptions): Promise<ConsoleServer> {
  const { source, access, clock, ...limits } = options
  const feed = createSnapshotFeed({ snapshots: source.snapshots, clock, ...limits })
  const app = fastify({ bodyLimit: MAX_BODY_BYTES, forceCloseConnections: true, exposeHeadRoutes: false })
  app.removeContentTypeParser('text/plain')
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(SECURITY_HEADERS)
    const { raw } = request
    const refused =
      refusalOfHost(raw.headers, access) ??
      // By the route and not by the path, which can be written in several ways.
      (request.routeOptions.url?.startsWith(API) ? refusalOfAsking(raw.headers) : undefined) ??
      (raw.method === 'POST'
        ? refusalOfChange(raw.headers, access)
        : raw.method === 'GET'
          ? undefined
          : refusal(405, 'there are GET and POST'))
    if (refused) return send(reply, refused)
  })
  app.setErrorHandler((error, _request, reply) => void send(reply, problemOf(error)))
  app.setNotFoundHandler((_request, reply) => void send(reply, refusal(404, 'there is nothing under this address')))

  addPage(app, options.assets)
  addEvents(app, feed)
  for (const route of consoleRoutes(source, access.token !== undefined)) addRoute(app, route)
  await app.ready()
  return {
    handle: (request, response) => app.routing(request, response),
    async listen(port, host) {
      const url = await app.listen({ port, host })
      return `${url}/console/`
    },
    async close() {
      feed.close()
      await app.close()
      await source.close()
    },
  }
}

function addPage(app: FastifyInstance, assets: ConsoleServerOptions['assets']): void {
  let atStart: ReadonlyMap<string, PageAsset> | undefined
  const all = assets ?? (() => (atStart ??= readPageAssets()))
  app.get('/console', async (_request, reply) => reply.redirect('console/', 308))
  app.get<{ Params: { '*': string } }>('/console/*', async (request, reply) => {
    const asset = all().get(request.params['*'])
    if (asset === undefined) return send(reply, refusal(404, 'there is nothing under this address'))
    reply.headers({ etag: asset.etag, 'cache-control': 'no-cache', 'content-type': asset.contentType })
    return request.headers['if-none-match'] === asset.etag ? reply.code(304).send() : reply.send(asset.body)
  })
}

function addEvents(app: FastifyInstance, feed: SnapshotFeed): void {
  app.get(`${API}events`, (_request, reply) => {
    // Taken over only where it is listened to: what is refused is answered like anything else.
    if (!feed.listen(reply.raw)) throw new RunInferenceError('CONSOLE_BUSY', 'too many pages listen already: close one')
    reply.hijack()
  })
}

function addRoute(app: FastifyInstance, { method, path, answer }: ConsoleRoute): void {
  app.route({
    method,
    url: `${API}${path}`,
    handler: async (request: FastifyRequest, reply: FastifyReply) => {
      const gone = new AbortController()
      if (reply.raw.destroyed) gone.abort()
      reply.raw.once('close', () => gone.abort())
      const query = new URLSearchParams(/\?.*/s.exec(request.raw.url!)?.[0])
      const found = await answer({ query, body: request.body, signal: gone.signal })
      if (found === undefined) return send(reply, refusal(404, 'there is no such thing'))
      return reply.header('cache-control', 'no-store').send(found)
    },
  })
}

function send(reply: FastifyReply, { status, problem }: Refusal): FastifyReply {
  return reply.code(status).headers({ 'cache-control': 'no-store' }).send(masked(problem))
}

/** What went wrong, as a command would print it, and the status that says whose doing it is. */
function problemOf(error: unknown): Refusal {
  if (error instanceof RunInferenceError) {
    const { code, message } = error
    return { status: STATUS[code] ?? (isRetriable(error) ? 503 : 409), problem: { code, message } }
  }
  // Of the library: a body that is too large, or no JSON.
  const { statusCode, message } = error as { readonly statusCode?: number; readonly message: string }
  if (statusCode !== undefined && statusCode < 500) return refusal(statusCode, message)
  const bug = RunInferenceError.from(error, 'BUG')
  return { status: 500, problem: { code: bug.code, message: bug.message } }
}

const STATUS: Readonly<Record<string, number>> = { SETTINGS_INVALID: 400, BUG: 500, CLOSED: 503 }
