/** Requests to the addresses for whoever runs an instance, as the server has parsed them. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { opsListener } from '../../src/ops/http-server.ts'
import type { HealthReport } from '../../src/ops/run-health.ts'
import { must, type Target, type TargetSource } from '../target.ts'

const report = { live: true, ready: false, state: 'joined', problems: {} } as unknown as HealthReport

interface Answer {
  status: number
  type: string | undefined
  body: string
  times: number
}

/** How the parts behind answer: well, or by failing at once or later. */
function listenerOf(mood: number) {
  const give = <T>(value: T): T | Promise<T> => {
    if (mood === 1) throw new RangeError('asked for')
    return mood === 2 ? Promise.reject(new RangeError('asked for later')) : value
  }
  return opsListener({
    health: () => give(report),
    resume: () => give(false),
    metrics: { contentType: 'text/plain', text: async () => give('num 1\n') },
  })
}
const listeners = [0, 1, 2].map(listenerOf)

async function run(bytes: Buffer): Promise<void> {
  const [first = '', ...lines] = bytes.toString('latin1', 1).split('\n')
  const [method, url, ...rest] = first.split(' ')
  const headers = Object.fromEntries(
    lines
      .filter(line => line.includes(':'))
      .map(line => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1)]),
  )
  const answer: Answer = { status: 0, type: undefined, body: '', times: 0 }
  const response = {
    writeHead(status: number, given: Record<string, string>) {
      answer.status = status
      answer.type = given['content-type']
      return response
    },
    end(text: string) {
      answer.body = text
      answer.times++
    },
  }
  const listener = listeners[(bytes[0] ?? 0) % listeners.length]!
  // A server may be asked without a URL, as far as its type says.
  listener(
    { method, url: rest.length > 3 ? undefined : url, headers } as unknown as IncomingMessage,
    response as unknown as ServerResponse,
  )
  for (let turn = 0; turn < 16 && answer.times === 0; turn++) await undefined
  must(answer.times === 1, 'every request is answered, once')
  must([200, 403, 404, 405, 409, 500, 503].includes(answer.status), `status ${answer.status}`)
  if (answer.type === 'application/json') JSON.parse(answer.body)
}

export const http: TargetSource = {
  name: 'http',
  about: 'requests to /livez, /readyz, /metrics and /resume, behind the parser',
  open: (): Target => ({
    seeds: [
      'GET /livez',
      'GET /readyz?verbose\nhost: a',
      'HEAD /metrics',
      'POST /resume\norigin: https://a',
      'POST /resume',
      'PUT /x',
    ].flatMap(text => [0, 1, 2].map(mood => Buffer.from(`${String.fromCharCode(mood)}${text}`))),
    tokens: [
      'GET ',
      'POST ',
      ' /livez',
      ' /resume',
      '/metrics',
      '?',
      '%00',
      '//',
      'http://a/livez',
      'origin:',
      '\n',
      ' * ',
    ].map(token => Buffer.from(token)),
    codes: [],
    run,
  }),
}
