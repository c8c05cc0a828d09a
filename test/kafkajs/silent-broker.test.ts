import assert from 'node:assert/strict'
import { createServer, type Server, type Socket } from 'node:net'
import { test } from 'node:test'
import { Channel } from '../../src/kafkajs/channel.ts'
import type { KafkajsLogger } from '../../src/kafkajs/internals.ts'
import { WirePayload } from '../../src/kafkajs/wire-payload.ts'
import { eventually } from '../support/eventually.ts'

const API_VERSIONS = 18
const REQUEST_TIMEOUT_MS = 200

const ignore = () => {}
const logger = { debug: ignore, info: ignore, warn: ignore, error: ignore, namespace: () => logger }

/** A broker whose first connection goes silent after the handshake, as behind a firewall that forgot it. */
async function brokerThatGoesSilent(): Promise<{ port: number; sockets: Socket[]; server: Server }> {
  const sockets: Socket[] = []
  const server = createServer(socket => {
    const silent = sockets.length === 0
    sockets.push(socket)
    socket.on('error', ignore)
    socket.on('data', frame => {
      const isHandshake = frame.readInt16BE(4) === API_VERSIONS
      if (silent && !isHandshake) return
      const body = isHandshake ? apiVersionsAnswer() : Buffer.from('answer')
      const head = Buffer.alloc(8)
      head.writeInt32BE(4 + body.length, 0)
      frame.copy(head, 4, 8, 12)
      socket.write(Buffer.concat([head, body]))
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return { port: (server.address() as { port: number }).port, sockets, server }
}

/** No error, one API, no throttling. */
function apiVersionsAnswer(): Buffer {
  return Buffer.from([0, 0, 0, 0, 0, 1, 0, API_VERSIONS, 0, 0, 0, 2, 0, 0, 0, 0])
}

const ask = {
  request: { apiKey: 0, apiVersion: 7, apiName: 'Produce', encode: async () => new WirePayload([Buffer.from('q')]) },
  response: { decode: async (payload: Buffer) => payload.toString() },
}

test('a request that times out destroys its socket, and the next one goes through a new connection', async () => {
  const { port, sockets, server } = await brokerThatGoesSilent()
  const channel = new Channel(`127.0.0.1:${port}`, {
    clientId: 'test',
    ssl: undefined,
    sasl: undefined,
    connectionTimeoutMs: 2000,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    logger: logger as unknown as KafkajsLogger,
  })
  try {
    const [first, second] = await Promise.allSettled([channel.send(ask), channel.send(ask)])
    for (const result of [first, second]) {
      assert.equal(result.status, 'rejected')
      assert.equal(result.reason.code, 'BROKER_UNAVAILABLE')
    }
    await eventually('the silent connection is closed', () => sockets[0]?.destroyed === true)
    assert.equal(await channel.send(ask), 'answer')
    assert.equal(sockets.length, 2)
  } finally {
    channel.close()
    for (const socket of sockets) socket.destroy()
    server.close()
  }
})
