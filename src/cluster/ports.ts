import { createServer, type Server } from 'node:net'

// Below the range from which Linux, macOS and Windows take the ports of outgoing connections: a broker that was killed
// must find its port free when it starts again.
const FIRST_PORT = 15_000
const LAST_PORT = 31_999
const MAX_ATTEMPTS = 500

/** Distinct ports on 127.0.0.1 that nobody listens on. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const held: Server[] = []
  const ports: number[] = []
  try {
    for (let attempt = 0; ports.length < count && attempt < MAX_ATTEMPTS; attempt++) {
      const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT + 1))
      const server = await listen(port)
      if (server === undefined) continue
      held.push(server)
      ports.push(port)
    }
  } finally {
    // Held until all are found, so that none is found twice.
    await Promise.all(held.map(server => new Promise(closed => server.close(closed))))
  }
  if (ports.length < count)
    throw new Error(`no ${count} free ports between ${FIRST_PORT} and ${LAST_PORT} on 127.0.0.1`)
  return ports
}

/** A listening server, or undefined when the port is taken. */
function listen(port: number): Promise<Server | undefined> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
}
