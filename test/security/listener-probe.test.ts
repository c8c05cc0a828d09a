// P1: only an answer of the listener itself says that it is of another kind; everything else stays an outage.
import assert from 'node:assert/strict'
import { createServer, type Socket } from 'node:net'
import { describe, it } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { listenerMismatch } from '../../src/kafkajs/listener-probe.ts'
import { makeCertificate } from '../support/certificates.ts'

const { cert, key } = makeCertificate({ commonName: 'listener' })

/** Answers of SaslHandshake: size, correlation id as it came, error code, mechanisms. */
function handshakeAnswer(request: Buffer, errorCode: number, ...mechanisms: readonly string[]): Buffer {
  const names = mechanisms.map(name => Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name)]))
  const body = Buffer.concat([
    request.subarray(8, 12),
    Buffer.from([0, errorCode, 0, 0, 0, mechanisms.length]),
    ...names,
  ])
  return Buffer.concat([Buffer.from([0, 0, 0, body.length]), body])
}

const listeners: Readonly<Record<string, { tls: boolean; serve: (socket: Socket) => void }>> = {
  'ends every connection': { tls: false, serve: socket => socket.destroy() },
  'ends connections when asked': { tls: false, serve: socket => socket.once('data', () => socket.destroy()) },
  'answers something else': {
    tls: false,
    serve: socket => socket.once('data', () => socket.end('HTTP/1.1 400 Bad\r\n\r\n')),
  },
  'answers half of it': {
    tls: false,
    serve: socket => socket.once('data', request => socket.end(handshakeAnswer(request, 33, 'PLAIN').subarray(0, 12))),
  },
  'answers with a lie': {
    tls: false,
    serve: socket => socket.once('data', () => socket.end(Buffer.from([0, 0, 0, 10, 1, 2, 3, 4, 0, 33, 0, 0, 0, 9]))),
  },
  'answers with a lie about a length': {
    tls: false,
    serve: socket =>
      socket.once('data', request => {
        const answer = handshakeAnswer(request, 33, 'PLAIN')
        // So many mechanisms, each of which begins where the one before did.
        answer.writeInt32BE(2 ** 31 - 1, 10)
        answer.writeInt16BE(-2, 14)
        socket.end(answer)
      }),
  },
  'wants a login': {
    tls: false,
    serve: socket => socket.on('data', request => socket.write(handshakeAnswer(request, 33, 'PLAIN', 'GSSAPI'))),
  },
  'wants none': {
    tls: false,
    serve: socket => socket.on('data', request => socket.write(handshakeAnswer(request, 34))),
  },
  'speaks TLS': { tls: true, serve: socket => socket.on('data', () => socket.destroy()) },
}

const noTls = undefined
const cases: readonly (readonly [
  listener: string,
  ssl: object | undefined,
  sasl: object | undefined,
  told: RegExp | undefined,
])[] = [
  ['ends every connection', noTls, undefined, undefined],
  ['ends every connection', { ca: cert }, undefined, undefined],
  ['ends connections when asked', noTls, undefined, undefined],
  ['ends connections when asked', { ca: cert }, {}, undefined],
  ['answers something else', noTls, undefined, undefined],
  ['answers something else', { ca: cert }, undefined, undefined],
  ['answers half of it', noTls, undefined, undefined],
  ['answers with a lie', noTls, undefined, undefined],
  ['answers with a lie about a length', noTls, undefined, undefined],
  ['wants a login', noTls, undefined, /asks for a login by SASL \(PLAIN, GSSAPI\)/],
  ['wants a login', noTls, {}, undefined],
  ['wants a login', { ca: cert }, {}, /does not speak TLS/],
  ['wants none', noTls, undefined, undefined],
  ['wants none', { ca: cert }, undefined, /does not speak TLS/],
  ['speaks TLS', noTls, undefined, /speaks TLS/],
  ['speaks TLS', noTls, {}, /speaks TLS/],
  ['speaks TLS', { ca: cert }, undefined, undefined],
]

describe('a listener that ends connections without a word', () => {
  for (const [name, ssl, sasl, told] of cases) {
    const ways = [ssl ? 'with TLS' : 'without TLS', sasl ? 'with a login' : 'without a login']
    it(`and ${name}, ${ways.join(', ')}: ${told === undefined ? 'an outage' : told.source}`, async () => {
      const { tls, serve } = listeners[name]!
      const accept = (socket: Socket) => {
        socket.on('error', () => {})
        serve(socket)
      }
      const server = tls ? createTlsServer({ cert, key }, accept) : createServer(accept)
      await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
      const { port } = server.address() as { port: number }
      const started = performance.now()
      const error = await listenerMismatch({ host: '127.0.0.1', port }, { ssl, sasl })
      server.close()
      assert.ok(performance.now() - started < 10_000, 'no answer holds it up')
      if (told === undefined) assert.equal(error, undefined)
      else {
        assert.equal(error?.code, 'AUTHORISATION')
        assert.match(error.message, told)
      }
    })
  }
})
