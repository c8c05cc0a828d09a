// The clock of the machine is set while requests are under way: what takes time goes by the clock that never jumps.
import assert from 'node:assert/strict'
import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, it } from 'node:test'
import { Channel } from '../../src/kafkajs/channel.ts'
import type { KafkajsLogger } from '../../src/kafkajs/internals.ts'
import { WirePayload } from '../../src/kafkajs/wire-payload.ts'
import { eventually } from '../support/eventually.ts'

const HOUR_MS = 3_600_000
const REQUEST_TIMEOUT_MS = 300
const THROTTLE_MS = 200
const API_VERSIONS = 18

const ignore = () => {}
const logger = { debug: ignore, info: ignore, warn: ignore, error: ignore, namespace: () => logger }
const timeOfDay = Date.now
const setClock = (byMs: number) => {
  Date.now = () => timeOfDay() + byMs
}

interface Asked {
  readonly socket: Socket
  readonly frame: Buffer
}

/** A broker that answers handshakes, and anything else when it is told to. */
async function patientBroker(): Promise<{ port: number; asked: Asked[]; close(): void; server: Server }> {
  const asked: Asked[] = []
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', ignore)
    socket.on('data', frame => {
      if (frame.readInt16BE(4) === API_VERSIONS) answer({ socket, frame }, apiVersionsAnswer())
      else asked.push({ socket, frame: Buffer.from(frame) })
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const close = () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
  return { port: (server.address() as { port: number }).port, asked, close, server }
}

function answer({ socket, frame }: Asked, body: Buffer): void {
  const head = Buffer.alloc(8)
  head.writeInt32BE(4 + body.length, 0)
  frame.copy(head, 4, 8, 12)
  socket.write(Buffer.concat([head, body]))
}

/** No error, one API, no throttling. */
function apiVersionsAnswer(): Buffer {
  return Buffer.from([0, 0, 0, 0, 0, 1, 0, API_VERSIONS, 0, 0, 0, 2, 0, 0, 0, 0])
}

const ask = (clientSideThrottleTime = 0) => ({
  request: { apiKey: 0, apiVersion: 7, apiName: 'Produce', encode: async () => new WirePayload([Buffer.from('q')]) },
  response: { decode: async (payload: Buffer) => ({ text: payload.toString(), clientSideThrottleTime }) },
})

describe('a clock that is set while requests are under way', () => {
  const ends: (() => void)[] = []
  afterEach(() => {
    Date.now = timeOfDay
    for (const end of ends.splice(0)) end()
  })
  const channelTo = async () => {
    const { port, asked, close } = await patientBroker()
    const channel = new Channel(`127.0.0.1:${port}`, {
      clientId: 'test',
      ssl: undefined,
      sasl: undefined,
      connectionTimeoutMs: 2_000,
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      logger: logger as unknown as KafkajsLogger,
    })
    ends.push(() => channel.close(), close)
    return { channel, asked }
  }

  it('R4 back by an hour: a request on a silent connection times out all the same', async () => {
    const { channel, asked } = await channelTo()
    const silent = channel.send(ask())
    await eventually('it was asked', () => asked.length === 1)
    setClock(-HOUR_MS)
    let failure: { code?: string } | undefined
    silent.catch(error => {
      failure = error
    })
    await eventually('it has timed out', () => failure !== undefined, 5_000)
    assert.equal(failure?.code, 'BROKER_UNAVAILABLE')
  })

  it('R4 forward by an hour: a request that is being answered does not time out', async () => {
    const { channel, asked } = await channelTo()
    const slow = channel.send(ask())
    await eventually('it was asked', () => asked.length === 1)
    setClock(HOUR_MS)
    // Longer than the interval in which requests are looked at, shorter than their time.
    const since = performance.now()
    await eventually('time has passed', () => performance.now() - since > 150)
    answer(asked[0]!, Buffer.from('late'))
    assert.equal((await slow).text, 'late')
  })

  it('R4 back by an hour: a broker that throttles is heeded for as long as it says, and no longer', async () => {
    const { channel, asked } = await channelTo()
    const first = channel.send(ask(THROTTLE_MS))
    await eventually('it was asked', () => asked.length === 1)
    answer(asked[0]!, Buffer.from('slower'))
    await first
    setClock(-HOUR_MS)
    const since = performance.now()
    const second = channel.send(ask())
    await eventually('the next one was asked', () => asked.length === 2, 5_000)
    assert.ok(performance.now() - since > THROTTLE_MS * 0.7, 'it waited')
    answer(asked[1]!, Buffer.from('go on'))
    assert.equal((await second).text, 'go on')
  })

  it('R4 an answer that says nothing of throttling, as those of a login, holds up nothing', async () => {
    const { channel, asked } = await channelTo()
    const { request } = ask()
    const first = channel.send({ request, response: { decode: async (payload: Buffer) => payload.toString() } })
    await eventually('it was asked', () => asked.length === 1)
    answer(asked[0]!, Buffer.from('yes'))
    assert.equal(await first, 'yes')
    const second = channel.send(ask())
    await eventually('the next one was asked', () => asked.length === 2, 2_000)
    answer(asked[1]!, Buffer.from('go on'))
    assert.equal((await second).text, 'go on')
  })
})
