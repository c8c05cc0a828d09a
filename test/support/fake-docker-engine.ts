/**
 * The part of Docker's engine API that starting containers needs, on loopback: it keeps what it was asked, and its
 * "containers" write one line of log and answer HTTP on their port. It proves requests, not images.
 */
import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface FakeContainer {
  readonly id: string
  readonly name: string
  readonly body: {
    readonly Image: string
    readonly Env: readonly string[]
    readonly Labels: Readonly<Record<string, string>>
    readonly HostConfig: {
      readonly PortBindings: Readonly<Record<string, readonly { HostIp: string; HostPort: string }[]>>
    }
  }
  state: 'created' | 'running' | 'exited' | 'paused' | 'removed'
  startedAt: string
  /** Names under which the network knows it. */
  aliases: readonly string[]
  service?: Server
}

export interface FakeDockerEngine {
  /** For DOCKER_HOST. */
  readonly host: string
  readonly containers: readonly FakeContainer[]
  /** Those that there are. */
  readonly networks: ReadonlyMap<string, { readonly Name: string; readonly Labels: Readonly<Record<string, string>> }>
  /** What is said in every log once the container runs; undefined = it ends without a word. */
  logLine: string | undefined
  close(): Promise<void>
}

export async function startFakeDockerEngine(logLine: string): Promise<FakeDockerEngine> {
  const containers: FakeContainer[] = []
  const networks = new Map<string, { Name: string; Labels: Record<string, string> }>()
  const engine = { host: '', containers, networks, logLine: logLine as string | undefined, close }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: Error) => json(response, 500, { message: error.message }))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  engine.host = `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`

  async function close(): Promise<void> {
    for (const { service } of containers) service?.close()
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, 'http://engine')
    const path = url.pathname.replace(/^\/v[\d.]+/, '')
    const call = `${request.method} ${path}`
    const body = JSON.parse((await text(request)) || '{}')
    if (path === '/_ping') response.end('OK')
    else if (path === '/info')
      json(response, 200, { OperatingSystem: 'fake', OSType: 'linux', ServerVersion: '28.0.0' })
    else if (call === 'GET /containers/json') json(response, 200, [])
    else if (/^GET \/images\/.+\/json$/.test(call)) json(response, 200, { Id: 'sha256:fake' })
    else if (call === 'POST /networks/create') {
      const id = randomBytes(8).toString('hex')
      networks.set(id, body)
      json(response, 201, { Id: id })
    } else if (call.startsWith('DELETE /networks/')) {
      json(response, networks.delete(path.split('/')[2]!) ? 204 : 404, { message: 'no such network' })
    } else if (/^POST \/networks\/.+\/connect$/.test(call)) {
      find(body.Container)!.aliases = body.EndpointConfig.Aliases
      json(response, 200, {})
    } else if (call === 'POST /containers/create') {
      const id = randomBytes(8).toString('hex')
      containers.push({ id, name: url.searchParams.get('name')!, body, state: 'created', startedAt: '', aliases: [] })
      json(response, 201, { Id: id })
    } else if (path.startsWith('/containers/')) await answerContainer(request.method!, path.split('/'), response)
    else json(response, 404, { message: `${call} is not known to the fake engine` })
  }

  async function answerContainer(method: string, [, , id, verb]: string[], response: ServerResponse): Promise<void> {
    const container = find(id!)
    if (container === undefined) return json(response, 404, { message: `No such container: ${id}` })
    if (verb === 'json') return json(response, 200, inspected(container))
    if (verb === 'logs') return sendLog(container, response)
    if (verb === 'wait') return json(response, 200, { StatusCode: 137 })
    const after = {
      start: 'running',
      restart: 'running',
      unpause: 'running',
      pause: 'paused',
      kill: 'exited',
      stop: 'exited',
    }
    container.state = method === 'DELETE' ? 'removed' : (after[verb as keyof typeof after] as FakeContainer['state'])
    if (verb === 'start' || verb === 'restart') await run(container)
    else if (verb !== 'pause' && verb !== 'unpause') await halt(container)
    json(response, 204, {})
  }

  async function run(container: FakeContainer): Promise<void> {
    container.startedAt = new Date().toISOString()
    const service = createServer((_, response) => response.end('[]'))
    container.service = service
    const { HostPort, HostIp } = Object.values(container.body.HostConfig.PortBindings)[0]![0]!
    await new Promise<void>(resolve => service.listen(Number(HostPort), HostIp || '127.0.0.1', resolve))
  }

  /** One frame of standard output, as logs are sent; it goes on until the container or the client ends. */
  function sendLog(container: FakeContainer, response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'application/vnd.docker.raw-stream' })
    const line = Buffer.from(`${engine.logLine ?? 'it is over'}\n`)
    const header = Buffer.alloc(8)
    header[0] = 1
    header.writeUInt32BE(line.length, 4)
    response.write(Buffer.concat([header, line]))
    if (engine.logLine === undefined) response.end()
    else container.service?.once('close', () => response.end())
  }

  const find = (id: string) => containers.find(container => container.id === id && container.state !== 'removed')
  return engine
}

async function halt(container: FakeContainer): Promise<void> {
  container.service?.closeAllConnections()
  if (container.service?.listening) await new Promise(resolve => container.service!.close(resolve))
}

function inspected({ id, name, body, state, startedAt }: FakeContainer): object {
  return {
    Id: id,
    Name: `/${name}`,
    Config: { Hostname: id, Labels: body.Labels, Image: body.Image },
    HostConfig: body.HostConfig,
    State: {
      Status: state,
      Running: state === 'running',
      Pid: 4711,
      StartedAt: startedAt,
      FinishedAt: '0001-01-01T00:00:00Z',
    },
    NetworkSettings: { Ports: body.HostConfig.PortBindings, Networks: {} },
  }
}

async function text(request: IncomingMessage): Promise<string> {
  let all = ''
  for await (const chunk of request.setEncoding('utf8')) all += chunk
  return all
}

function json(response: ServerResponse, status: number, value: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(status === 204 ? '' : JSON.stringify(value))
}
