/** Bytes to the port of the real server: whatever comes, it goes on answering. */
import { connect } from 'node:net'
import { startOpsServer } from '../../src/ops/http-server.ts'
import type { HealthReport } from '../../src/ops/run-health.ts'
import { must, type TargetSource } from '../target.ts'

/** A server that waits for the rest of a request says nothing. */
const PATIENCE_MS = 20
const ANSWER_MS = 5_000
const CHECK_EVERY = 32
const MAX_ANSWER = 64 * 1024

const SEEDS = [
  'GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
  'GET /readyz HTTP/1.0\r\n\r\n',
  'POST /resume HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc',
  'POST /resume HTTP/1.1\r\nHost: a\r\nOrigin: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
  'HEAD /metrics HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n',
  'GET /metrics HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\nGET / HTTP/1.1\r\n\r\n',
]
const TOKENS = [
  '\r\n',
  '\r\n\r\n',
  '\n',
  'Content-Length: -1\r\n',
  'Content-Length: 99999999999999999999\r\n',
  'Transfer-Encoding: chunked\r\n',
  'ffffffffffffffff\r\n',
  '0\r\n\r\n',
  'HTTP/9.9',
  'CONNECT ',
  'Host: ',
  ': ',
  'Connection: keep-alive\r\n',
  'Expect: 100-continue\r\n',
  '\u0000',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'A: b\r\n'.repeat(50),
].map(token => Buffer.from(token))

export const httpRaw: TargetSource = {
  name: 'http-raw',
  about: 'bytes to the port of the real server (slow: a connection each)',
  short: 300,
  async open() {
    const health = () => ({ live: true, ready: true, state: 'joined', problems: {} }) as unknown as HealthReport
    const server = await startOpsServer({
      port: 0,
      health,
      resume: () => false,
      metrics: { contentType: 'text/plain', text: async () => 'num 1\n' },
    })
    const port = Number(new URL(server.url).port)
    let runs = 0

    /** What comes back for these bytes, until the server closes or has nothing to say. */
    async function ask(bytes: Buffer, patienceMs: number): Promise<string> {
      const socket = connect({ port, host: '127.0.0.1' })
      let answer = ''
      socket.setEncoding('latin1').setTimeout(patienceMs, () => socket.destroy())
      socket.on('data', text => {
        answer += text
        if (answer.length > MAX_ANSWER) socket.destroy()
      })
      // It may have closed before we had written everything.
      socket.on('error', () => {})
      const closed = new Promise(resolve => socket.once('close', resolve))
      socket.end(bytes)
      await closed
      return answer
    }

    return {
      seeds: SEEDS.map(text => Buffer.from(text)),
      tokens: TOKENS,
      codes: [],
      async run(bytes) {
        const answer = await ask(bytes, PATIENCE_MS)
        must(answer === '' || answer.startsWith('HTTP/1.1 '), 'an answer is one of HTTP')
        must(answer.length <= MAX_ANSWER, 'an answer is not longer than its question allows')
        if (runs++ % CHECK_EVERY === 0)
          must(
            (await ask(Buffer.from(SEEDS[0]!), ANSWER_MS)).startsWith('HTTP/1.1 200'),
            'the server goes on answering',
          )
      },
      close: () => server.close(),
    }
  },
}
