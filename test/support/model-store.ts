// A loopback HTTP server that answers as a test says, and a source of models that may read from it.
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rootsOf } from '../../src/models/model-roots.ts'
import { createModelSource, type ModelSource, type ModelSourceOptions } from '../../src/models/model-source.ts'
import { systemClock } from '../../src/ops/clock.ts'

export interface ModelStore {
  readonly origin: string
  /** Requests that came, in order. */
  readonly requests: IncomingMessage[]
  /** What is answered, by path; else 404. */
  readonly routes: Map<string, (request: IncomingMessage, response: ServerResponse) => void>
  close(): Promise<void>
}

export async function startModelStore(tls?: { readonly cert: string; readonly key: string }): Promise<ModelStore> {
  const requests: IncomingMessage[] = []
  const routes: ModelStore['routes'] = new Map()
  const listener: RequestListener = (request, response) => {
    requests.push(request)
    const route = routes.get(request.url!.split('?')[0]!)
    if (route === undefined) response.writeHead(404).end('not here')
    else route(request, response)
  }
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    origin: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    requests,
    routes,
    close() {
      server.closeAllConnections()
      return new Promise(resolve => server.close(() => resolve()))
    },
  }
}

export interface TestSource extends ModelSource {
  readonly cacheFolder: string
  [Symbol.dispose](): void
}

/** With a cache of its own unless one is given. */
export function makeSource(
  roots: readonly string[],
  options: Partial<Omit<ModelSourceOptions, 'roots'>> = {},
): TestSource {
  const cacheFolder = options.cacheFolder ?? mkdtempSync(join(tmpdir(), 'kri-model-cache-'))
  const defaults = { maxBytes: 1 << 20, timeoutMs: 20_000, maxCacheBytes: 1 << 24, access: {}, clock: systemClock }
  return {
    cacheFolder,
    ...createModelSource({ ...defaults, ...options, roots: rootsOf(roots), cacheFolder }),
    [Symbol.dispose]: () => rmSync(cacheFolder, { recursive: true, force: true }),
  }
}
