/**
 * A proxy on loopback before one broker, for clients that can be led through it: the addresses in answers that name that
 * broker are changed to the proxy's. It counts requests by what they ask, and loses those, or their answers, that a test
 * names.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

const METADATA = 3
const FIND_COORDINATOR = 10
const NAMES = new Map([
  [0, 'Produce'],
  [8, 'OffsetCommit'],
  [10, 'FindCoordinator'],
  [22, 'InitProducerId'],
  [24, 'AddPartitionsToTxn'],
  [25, 'AddOffsetsToTxn'],
  [26, 'EndTxn'],
  [28, 'TxnOffsetCommit'],
])

/** `request`: it never arrives; `answer`: it is carried out, and nobody hears of it. Either way the connection breaks. */
export type Loss = 'request' | 'answer'

export interface KafkaProxy {
  /** `host:port` */
  readonly address: string
  /** How often each API was asked, of those that matter to writers; others by their number. */
  readonly requests: Map<string, number>
  /** Connections that are open now. */
  readonly sockets: () => number
  /** Loses the next request of this API. */
  lose(api: string, loss: Loss): void
  close(): Promise<void>
}

export async function openProxy(broker: string): Promise<KafkaProxy> {
  const [host, port] = [broker.slice(0, broker.lastIndexOf(':')), Number(broker.slice(broker.lastIndexOf(':') + 1))]
  const requests = new Map<string, number>()
  const losses = new Map<string, Loss>()
  const sockets = new Set<Socket>()
  let own = 0
  const server = createServer(client => {
    const upstream = connect(port, host)
    sockets.add(client)
    const end = () => {
      sockets.delete(client)
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) socket.setNoDelay(true).on('close', end).on('error', end)
    /** API keys of the requests that wait for their answers. */
    const asked = new Map<number, number>()
    let lost = -1
    client.on(
      'data',
      frames(frame => {
        const [api, correlation] = [frame.readInt16BE(4), frame.readInt32BE(8)]
        const name = NAMES.get(api) ?? String(api)
        requests.set(name, (requests.get(name) ?? 0) + 1)
        const loss = losses.get(name)
        losses.delete(name)
        if (loss === 'request') return end()
        if (loss === 'answer') lost = correlation
        asked.set(correlation, api)
        upstream.write(frame)
      }),
    )
    upstream.on(
      'data',
      frames(frame => {
        const correlation = frame.readInt32BE(4)
        const api = asked.get(correlation)
        asked.delete(correlation)
        if (correlation === lost) return end()
        client.write(api === METADATA || api === FIND_COORDINATOR ? redirected(frame) : frame)
      }),
    )
  })
  /** The same answer with the proxy's port wherever the broker's address stands. */
  function redirected(frame: Buffer): Buffer {
    const address = Buffer.alloc(2 + host.length + 4)
    address.writeInt16BE(host.length, 0)
    address.write(host, 2)
    address.writeInt32BE(port, 2 + host.length)
    const changed = Buffer.from(frame)
    for (let at = changed.indexOf(address); at >= 0; at = changed.indexOf(address, at + 1)) {
      changed.writeInt32BE(own, at + address.length - 4)
    }
    return changed
  }
  server.listen(0, host)
  await once(server, 'listening')
  own = (server.address() as AddressInfo).port
  return {
    address: `${host}:${own}`,
    requests,
    sockets: () => sockets.size,
    lose: (api, loss) => void losses.set(api, loss),
    async close() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}

/** Calls with each whole frame, its length in front. */
function frames(onFrame: (frame: Buffer) => void): (bytes: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0)
  return bytes => {
    rest = Buffer.concat([rest, bytes])
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const frame = rest.subarray(0, 4 + rest.readInt32BE(0))
      rest = rest.subarray(frame.length)
      onFrame(frame)
    }
  }
}
