import { connect, isIP, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'

const KEEP_ALIVE_DELAY_MS = 10_000

/**
 * Opens a socket for kafkajs. Requests are written whole, so they are sent without waiting for more (no delay), and a
 * peer that vanished silently is noticed by the kernel between requests too (keep alive).
 */
export function createSocket(options: {
  host: string
  port: number
  ssl?: ConnectionOptions
  onConnect: () => void
}): Socket {
  const { host, port, ssl, onConnect } = options
  const socket = ssl
    ? connectTls({ host, port, ...(isIP(host) ? {} : { servername: host }), ...ssl }, onConnect)
    : connect({ host, port }, onConnect)
  socket.setNoDelay(true)
  socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS)
  return socket
}
