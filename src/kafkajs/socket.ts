import { connect, isIP, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'

const KEEP_ALIVE_DELAY_MS = 10_000
/** What one system call may read; Node's own buffers have 64 KiB, and a new one is made for each. */
const READ_BUFFER_BYTES = 256 * 1024

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
    : connectReadingInto(Buffer.allocUnsafeSlow(READ_BUFFER_BYTES), host, port, onConnect)
  socket.setNoDelay(true)
  socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS)
  return socket
}

/** A socket whose 'data' events show one buffer that is used again: answers are copied out of it (repair R3). */
function connectReadingInto(buffer: Buffer, host: string, port: number, onConnect: () => void): Socket {
  const socket: Socket = connect(
    {
      host,
      port,
      onread: { buffer, callback: bytesRead => socket.emit('data', buffer.subarray(0, bytesRead)) },
    },
    onConnect,
  )
  return socket
}
