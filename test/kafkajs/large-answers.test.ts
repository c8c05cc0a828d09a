// R3: an answer that comes in many pieces, all of them in one buffer that is used again.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { installRepairs } from '../../src/kafkajs/repairs.ts'
import { createSocket } from '../../src/kafkajs/socket.ts'
import { WirePayload } from '../../src/kafkajs/wire-payload.ts'

const repaired = createRequire(import.meta.url)
installRepairs(repaired)

interface Connection {
  connect(): Promise<unknown>
  disconnect(): Promise<unknown>
  send(protocol: object): Promise<Buffer>
}

const ignore = () => {}
const logger = { debug: ignore, info: ignore, warn: ignore, error: ignore, namespace: () => logger }
/** Many times what a socket reads at once. */
const SIZES = [3_000_000, 5, 1_000_000]

/** Bytes that differ from place to place, so that none can stand for another. */
function pattern(size: number, from: number): Buffer {
  const bytes = Buffer.alloc(size)
  for (let i = 0; i < size; i++) bytes[i] = (Math.imul(i + from, 2_654_435_761) >>> 24) & 0xff
  return bytes
}

test('R3: a large answer is whole, in one buffer of its own size, and those behind it are too', async () => {
  let asked = 0
  const sockets: Socket[] = []
  const server = createServer(socket => {
    sockets.push(socket)
    let unread = Buffer.alloc(0)
    socket.on('data', data => {
      unread = Buffer.concat([unread, data])
      while (unread.length >= 4 && unread.length >= 4 + unread.readInt32BE(0)) {
        const frame = unread.subarray(4, 4 + unread.readInt32BE(0))
        unread = unread.subarray(4 + frame.length)
        const body = pattern(SIZES[asked]!, asked++)
        const head = Buffer.alloc(8)
        head.writeInt32BE(body.length + 4, 0)
        frame.copy(head, 4, 4, 8)
        socket.write(Buffer.concat([head, body]))
      }
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const Connection = repaired('kafkajs/src/network/connection') as new (options: object) => Connection
  const connection = new Connection({
    host: '127.0.0.1',
    port,
    logger,
    socketFactory: createSocket,
    clientId: 'c',
    requestTimeout: 20_000,
    connectionTimeout: 20_000,
  })
  try {
    await connection.connect()
    const response = { decode: async (answer: Buffer) => answer, parse: async (answer: Buffer) => answer }
    const encode = async () => new WirePayload([Buffer.from('q')])
    const request = { apiKey: 1, apiVersion: 11, apiName: 'Fetch', encode }
    const answers = await Promise.all(SIZES.map(() => connection.send({ request, response })))
    for (const [i, answer] of answers.entries()) {
      assert.ok(answer.equals(pattern(SIZES[i]!, i)), `answer ${i}, ${SIZES[i]} bytes, is as it was sent`)
      // Its correlation id stands in front.
      assert.equal(answer.buffer.byteLength, SIZES[i]! + 4, 'nothing else is kept alive with it')
    }
  } finally {
    await connection.disconnect()
    for (const socket of sockets) socket.destroy()
    server.close()
  }
})
