/**
 * The addresses for whoever runs an instance: `/livez` (restart me?), `/readyz` (send me work?), `/metrics`, `POST /resume`, which
 * ends a halt, and the console. They answer on loopback unless another address is asked for, since nothing here asks who is calling.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { masking } from '../credentials.ts'
import { RunInferenceError } from '../errors.ts'
import type { HealthReport } from './run-health.ts'

export interface OpsServerOptions {
  /** 0 = any free port. */
  readonly port: number
  /** Default 127.0.0.1. */
  readonly host?: string
  readonly health: () => HealthReport | Promise<HealthReport>
  /** False: there was no halt. */
  readonly resume: () => boolean | Promise<boolean>
  readonly metrics: { readonly contentType: string; text(): Promise<string> }
  /** Answers all below `/console`; undefined: nothing is there. */
  readonly console?: (request: IncomingMessage, response: ServerResponse) => void
}

export interface OpsServer {
  readonly url: string
  close(): Promise<void>
}

/** Answers one request; never throws, and a report that cannot be made is a 500. */
export type OpsListener = (request: IncomingMessage, response: ServerResponse) => void

/** What the server does with each request. */
export function opsListener(options: Pick<OpsServerOptions, 'health' | 'resume' | 'metrics' | 'console'>): OpsListener {
  return (request, response) => {
    const path = request.url?.split('?')[0]
    if (options.console !== undefined) {
      if (path === '/console' || path?.startsWith('/console/')) return options.console(request, response)
      if (path === '/' && request.method === 'GET') {
        response.writeHead(302, { location: '/console/' }).end()
        return
      }
    }
    if (path === '/resume') {
      answerResume(request, response, options.resume)
      return
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      respond(response, 405, { error: 'only GET is answered here' })
      return
    }
    if (path === '/livez' || path === '/readyz') {
      later(options.health).then(
        report => {
          const good = path === '/livez' ? report.live : report.live && report.ready
          respond(response, good ? 200 : 503, report)
        },
        (error: Error) => respond(response, 500, { error: error.message }),
      )
    } else if (path === '/metrics') {
      later(() => options.metrics.text()).then(
        text => {
          response.writeHead(200, { 'content-type': options.metrics.contentType }).end(text)
        },
        (error: Error) => respond(response, 500, { error: error.message }),
      )
    } else {
      respond(response, 404, { error: 'there are /livez, /readyz, /metrics and POST /resume' })
    }
  }
}

/** Listens; rejects SETTINGS_INVALID when the address cannot be had. The server does not keep the process alive. */
export async function startOpsServer(options: OpsServerOptions): Promise<OpsServer> {
  const { host = '127.0.0.1', port } = options
  const server = createServer(opsListener(options))
  await new Promise<void>((resolve, reject) => {
    server.once('error', error => reject(refusal(error as NodeJS.ErrnoException, host, port)))
    server.listen(port, host, resolve)
  })
  server.unref()
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections()
      return new Promise(resolve => server.close(() => resolve()))
    },
  }
}

function answerResume(
  request: Pick<IncomingMessage, 'method' | 'headers'>,
  response: ServerResponse,
  resume: OpsServerOptions['resume'],
): void {
  if (request.method !== 'POST') respond(response, 405, { error: 'POST resumes what the flood guard has halted' })
  // A page in a browser on this machine can send such a request; it cannot leave out where it comes from.
  else if (request.headers.origin !== undefined) respond(response, 403, { error: 'not from a web page' })
  else {
    later(resume).then(
      resumed => respond(response, resumed ? 200 : 409, resumed ? { resumed } : { resumed, error: 'it is not halted' }),
      (error: Error) => respond(response, 500, { error: error.message }),
    )
  }
}

/** What it gives, or throws, at once or later: an error that escaped here would end the process. */
async function later<T>(give: () => T | Promise<T>): Promise<T> {
  return give()
}

function respond(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body, masking)}\n`)
}

const SETTING = '--http-port or KRI_HTTP_PORT'

function refusal(error: NodeJS.ErrnoException, host: string, port: number): RunInferenceError {
  const why: Readonly<Record<string, string>> = {
    EADDRINUSE: `another process listens there. Stop it, or choose another port: ${SETTING} (0 = any free one, off = none)`,
    EACCES: `this user may not listen there. Choose a port above 1023: ${SETTING}`,
    EADDRNOTAVAIL: 'this machine has no such address. Choose one that it has, e.g. 127.0.0.1 or 0.0.0.0',
  }
  const reason = why[error.code ?? ''] ?? error.message
  return new RunInferenceError('SETTINGS_INVALID', `Health and metrics cannot listen on ${host}:${port}: ${reason}`, {
    cause: error,
  })
}
