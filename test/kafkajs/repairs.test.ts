import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, mock, test } from 'node:test'
import { assertVersion, installRepairs } from '../../src/kafkajs/repairs.ts'
import { WirePayload } from '../../src/kafkajs/wire-payload.ts'
import { eventually } from '../support/eventually.ts'

const repaired = createRequire(import.meta.url)
installRepairs(repaired)

interface Queue {
  throttleCheckTimeoutId: NodeJS.Timeout | null
  throttledUntil: number
  readonly pending: readonly unknown[]
  checkPendingRequests(): void
  maybeThrottle(ms: number): void
  push(request: object): void
  fulfillRequest(answer: object): void
  destroy(): void
}
type QueueClass = new (options: object) => Queue

const ignore = () => {}
const logger = { debug: ignore, info: ignore, warn: ignore, error: ignore, namespace: () => logger }

/** The module as it is on disk, without the repair. */
function original<T>(path: string): T {
  const resolved = repaired.resolve(path)
  const kept = repaired.cache[resolved]
  delete repaired.cache[resolved]
  const loaded = repaired(path) as T
  repaired.cache[resolved] = kept
  return loaded
}

function queueOf(Class: QueueClass, maxInFlightRequests: number | null = null): Queue {
  return new Class({ maxInFlightRequests, requestTimeout: 1000, enforceRequestTimeout: false, logger })
}

function request(correlationId: number, sent: number[]) {
  const entry = { correlationId, apiKey: 3, apiName: 'Metadata', apiVersion: 6, resolve: ignore, reject: ignore }
  return { entry, expectResponse: true, sendRequest: () => void sent.push(correlationId) }
}

afterEach(() => {
  mock.timers.reset()
  mock.restoreAll()
})

test('R1: an answered request leaves no timer behind; in the original one re-arms itself for ever', () => {
  for (const [Class, timers] of [
    [repaired('kafkajs/src/network/requestQueue') as QueueClass, false],
    [original<QueueClass>('kafkajs/src/network/requestQueue'), true],
  ] as const) {
    const queue = queueOf(Class)
    queue.push(request(1, []))
    queue.fulfillRequest({ correlationId: 1, payload: Buffer.alloc(0), size: 0 })
    const armed = queue.throttleCheckTimeoutId !== null
    queue.destroy()
    assert.equal(armed, timers)
  }
})

test('R1: a throttled connection sends what waited when the throttling is over, and not before', () => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  mock.method(performance, 'now', () => Date.now())
  const sent: number[] = []
  const queue = queueOf(repaired('kafkajs/src/network/requestQueue') as QueueClass)
  queue.maybeThrottle(500)
  queue.push(request(1, sent))
  mock.timers.tick(499)
  assert.deepEqual(sent, [])
  mock.timers.tick(2)
  mock.timers.tick(10)
  assert.deepEqual(sent, [1])
  assert.equal(queue.throttleCheckTimeoutId, null)
})

test('R1: a request that waits for others in flight is sent when one of them is answered', () => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  const sent: number[] = []
  const queue = queueOf(repaired('kafkajs/src/network/requestQueue') as QueueClass, 1)
  queue.push(request(1, sent))
  queue.push(request(2, sent))
  mock.timers.tick(100)
  assert.deepEqual(sent, [1])
  queue.fulfillRequest({ correlationId: 1, payload: Buffer.alloc(0), size: 0 })
  assert.deepEqual(sent, [1, 2])
  queue.destroy()
})

interface Connection {
  connect(): Promise<unknown>
  disconnect(): Promise<unknown>
  send(protocol: object): Promise<Buffer>
}

/** Answers every request with correlation id and its own body, and keeps what came. */
async function echoServer(): Promise<{ port: number; received: () => Buffer; close: () => void }> {
  const chunks: Buffer[] = []
  const sockets: Socket[] = []
  const server: Server = createServer(socket => {
    sockets.push(socket)
    let unread = Buffer.alloc(0)
    socket.on('data', data => {
      chunks.push(data)
      unread = Buffer.concat([unread, data])
      while (unread.length >= 4 && unread.length >= 4 + unread.readInt32BE(0)) {
        const frame = unread.subarray(4, 4 + unread.readInt32BE(0))
        unread = unread.subarray(4 + frame.length)
        const answer = Buffer.concat([Buffer.alloc(4), frame.subarray(4, 8), frame])
        answer.writeInt32BE(answer.length - 4, 0)
        socket.write(answer)
      }
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const close = () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
  return { port: (server.address() as { port: number }).port, received: () => Buffer.concat(chunks), close }
}

test('R2: chunks arrive whole and in order behind one frame header, between requests of kafkajs itself', async () => {
  const Connection = repaired('kafkajs/src/network/connection') as new (options: object) => Connection
  const Encoder = repaired('kafkajs/src/protocol/encoder') as new () => { writeString(text: string): object }
  const socketFactory = (repaired('kafkajs/src/network/socketFactory') as () => object)()
  const server = await echoServer()
  const options = { host: '127.0.0.1', port: server.port, logger, socketFactory, requestTimeout: 5000 }
  const connection = new Connection({ ...options, connectionTimeout: 5000, clientId: 'é' })
  try {
    await connection.connect()
    const response = { decode: async (answer: Buffer) => answer, parse: async (answer: Buffer) => answer }
    const chunks = [Buffer.from('head'), Buffer.alloc(3_000_000, 'x'), Buffer.alloc(0), Buffer.from('tail')]
    const bodies: (readonly [object, Buffer])[] = [
      [new WirePayload(chunks), Buffer.concat(chunks)],
      [new Encoder().writeString('plain'), Buffer.concat([Buffer.from([0, 5]), Buffer.from('plain')])],
      [new WirePayload([Buffer.from('second')]), Buffer.from('second')],
    ]
    const answers = await Promise.all(
      bodies.map(([body]) =>
        connection.send({
          request: { apiKey: 0, apiVersion: 7, apiName: 'Produce', encode: async () => body },
          response,
        }),
      ),
    )
    for (const [i, answer] of answers.entries()) {
      const header = Buffer.from([0, 0, 0, 7, 0, 0, 0, i, 0, 2, 0xc3, 0xa9])
      assert.deepEqual(answer, Buffer.concat([header, bodies[i]![1]]))
    }
    await eventually('all bytes are there', () => server.received().length > 3_000_000)
  } finally {
    await connection.disconnect()
    server.close()
  }
})

test('R2: the original knows no such payload', async () => {
  const frame = original<(frame: object) => Promise<object>>('kafkajs/src/protocol/request')
  const encode = async () => new WirePayload([Buffer.from('x')])
  const frameOfChunks = { correlationId: 1, clientId: 'c', request: { apiKey: 0, apiVersion: 7, encode } }
  await assert.rejects(frame(frameOfChunks), /should be an instance of Encoder/)
})

test('another version of kafkajs is refused by name', () => {
  assert.throws(() => assertVersion('2.3.0'), { code: 'SETTINGS_INVALID', message: /kafkajs 2\.3\.0.*2\.2\.4/ })
})

test('repairs that come too late say so', () => {
  const repairs = new URL('../../src/kafkajs/repairs.ts', import.meta.url)
  const script = `
    import { createRequire } from 'node:module'
    import { installRepairs } from '${repairs}'
    const require = createRequire('${import.meta.url}')
    require('kafkajs')
    try { installRepairs(require) } catch (error) { console.log(error.message) }`
  const said = execFileSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' })
  assert.match(said, /BUG.*loaded before its repairs/)
})
