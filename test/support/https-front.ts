import { request } from 'node:http'
import { createServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'

export interface HttpsFront {
  readonly port: number
  close(): Promise<void>
}

/** Stands before an HTTP server of this machine, as a gateway does: TLS, with a client certificate if `ca` asks for one, and basic auth. */
export async function startHttpsFront(
  target: string,
  tls: Pick<ServerOptions, 'cert' | 'key' | 'ca'>,
  user: { readonly username: string; readonly password: string },
): Promise<HttpsFront> {
  const expected = `Basic ${Buffer.from(`${user.username}:${user.password}`).toString('base64')}`
  const asks = tls.ca === undefined ? {} : { requestCert: true, rejectUnauthorized: true }
  const server = createServer({ ...tls, ...asks }, (incoming, outgoing) => {
    const { method, url, headers } = incoming
    if (headers.authorization !== expected) {
      outgoing.writeHead(401, { 'content-type': 'application/json' }).end('{"message":"who are you?"}')
      return
    }
    // A base path of the target stays before the path that is asked for.
    const path = `${new URL(target).pathname.replace(/\/$/, '')}${url}`
    const onwards = request(new URL(path, target), { method, headers }, answer => {
      outgoing.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(outgoing)
    })
    onwards.on('error', () => outgoing.writeHead(502).end())
    incoming.pipe(onwards)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.closeAllConnections()
      return new Promise(resolve => server.close(() => resolve()))
    },
  }
}
