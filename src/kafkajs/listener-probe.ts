/**
 * Why a listener ends connections without an answer. One that speaks TLS does so to who does not, and the other way round,
 * and so does one that wants a login: taken for an outage, it would be tried for ever. So it is asked what it is.
 *
 * P1 A verdict needs an answer of the listener to a probe; silence, or one more broken connection, stays an outage.
 */
import type { ConnectionOptions } from 'node:tls'
import { RunInferenceError } from '../errors.ts'
import { createSocket } from './socket.ts'

const PROBE_MS = 2_000
/** SaslHandshake v1 for no mechanism: a listener with SASL tells which it has, one without says that it has none. */
const CORRELATION_ID = 0x6b72_6900
const HANDSHAKE = handshakeRequest()
const MAX_ANSWER_BYTES = 4_096
const UNSUPPORTED_MECHANISM = 33

/** How a client would talk to it. */
export interface ListenerSettings {
  readonly ssl: object | undefined
  readonly sasl: object | undefined
}

/** What is wrong with these settings for the listener at that address; undefined when it does not tell. */
export async function listenerMismatch(
  address: { readonly host: string; readonly port: number },
  { ssl, sasl }: ListenerSettings,
): Promise<RunInferenceError | undefined> {
  const wrong = (what: string, remedy: string) =>
    new RunInferenceError('AUTHORISATION', `The listener at ${address.host}:${address.port} ${what}. ${remedy}`)
  const logins = (mechanisms: readonly string[]) =>
    wrong(
      `asks for a login by SASL (${mechanisms.join(', ')}), and none is set`,
      'Set saslMechanism, saslUsername and saslPassword, or use the port of another listener.',
    )
  const plain = await askForMechanisms(address, undefined)
  if (ssl !== undefined) {
    if (plain !== undefined)
      return wrong('does not speak TLS', 'Set tls to false, or use the port of the listener that does.')
    const secured = sasl === undefined ? await askForMechanisms(address, ssl) : undefined
    return secured?.length ? logins(secured) : undefined
  }
  if (plain !== undefined) return sasl === undefined && plain.length > 0 ? logins(plain) : undefined
  if (!(await speaksTls(address))) return undefined
  return wrong('speaks TLS', 'Set tls to true, or use the port of a listener that does not.')
}

/** Its SASL mechanisms, none where it has no SASL; undefined when it is no Kafka listener of this kind. */
async function askForMechanisms(
  address: { readonly host: string; readonly port: number },
  ssl: ConnectionOptions | undefined,
): Promise<readonly string[] | undefined> {
  let answer = Buffer.alloc(0)
  return probe(address, ssl, (socket, done) => {
    socket.write(HANDSHAKE)
    socket.on('data', bytes => {
      answer = Buffer.concat([answer, bytes])
      const size = answer.length < 4 ? 0 : answer.readUInt32BE(0)
      if (size > MAX_ANSWER_BYTES || answer.length > MAX_ANSWER_BYTES) done(undefined)
      else if (size > 0 && answer.length >= 4 + size) done(readMechanisms(answer))
    })
  })
}

/** Whom it trusts, and whether we would trust it, is not asked: only whether it answers a TLS greeting. */
async function speaksTls(address: { readonly host: string; readonly port: number }): Promise<boolean> {
  return (await probe(address, { rejectUnauthorized: false }, (_, done) => done(true))) ?? false
}

function probe<T>(
  { host, port }: { readonly host: string; readonly port: number },
  ssl: ConnectionOptions | undefined,
  onConnect: (socket: ReturnType<typeof createSocket>, done: (answer: T | undefined) => void) => void,
): Promise<T | undefined> {
  return new Promise(resolve => {
    const done = (answer: T | undefined) => {
      resolve(answer)
      socket.destroy()
    }
    const socket = createSocket({ host, port, ...(ssl ? { ssl } : {}), onConnect: () => onConnect(socket, done) })
    socket.setTimeout(PROBE_MS, () => done(undefined))
    socket.on('error', () => done(undefined))
    socket.on('close', () => done(undefined))
  })
}

function handshakeRequest(): Buffer {
  const body = Buffer.alloc(12)
  body.writeInt16BE(17, 0)
  body.writeInt16BE(1, 2)
  body.writeInt32BE(CORRELATION_ID, 4)
  body.writeInt16BE(-1, 8)
  body.writeInt16BE(0, 10)
  const size = Buffer.alloc(4)
  size.writeInt32BE(body.length)
  return Buffer.concat([size, body])
}

/** correlation id, error code, mechanisms. */
function readMechanisms(answer: Buffer): readonly string[] | undefined {
  try {
    if (answer.readInt32BE(4) !== CORRELATION_ID) return undefined
    if (answer.readInt16BE(8) !== UNSUPPORTED_MECHANISM) return []
    const mechanisms: string[] = []
    let at = 14
    for (let left = answer.readInt32BE(10); left > 0; left--) {
      const length = answer.readInt16BE(at)
      if (length < 0) return undefined
      mechanisms.push(answer.toString('utf8', at + 2, at + 2 + length))
      at += 2 + length
    }
    return mechanisms
  } catch {
    // Too short to be an answer of Kafka.
    return undefined
  }
}
