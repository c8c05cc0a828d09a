import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { RegisteredSchema } from '../../src/kafka/codec.ts'
import { createMemoryRegistry } from '../../src/testing/memory-registry.ts'

export interface FakeRegistryServer {
  readonly url: string
  /** Answers every request with this status, hangs, or (undefined) answers as a registry does. */
  fault: number | 'hang' | undefined
  /** What GET /config/{subject} says; undefined = 404. */
  compatibility: string | undefined
  readonly requests: string[]
  close(): Promise<void>
}

/** The REST interface of a schema registry on loopback, as far as this project uses it, over the registry in memory. */
export async function startFakeRegistry(): Promise<FakeRegistryServer> {
  const registry = createMemoryRegistry()
  const fake = { fault: undefined, compatibility: undefined, requests: [] as string[] } as Omit<
    FakeRegistryServer,
    'url' | 'close'
  >
  const server: Server = createServer((request, response) => {
    fake.requests.push(`${request.method} ${request.url}`)
    if (fake.fault === 'hang') return
    void (async () => {
      const [status, body] =
        typeof fake.fault === 'number' ? [fake.fault, { message: 'as told' }] : await answer(request)
      response.writeHead(status, { 'content-type': 'application/vnd.schemaregistry.v1+json' }).end(JSON.stringify(body))
    })()
  })

  async function answer(request: IncomingMessage): Promise<[status: number, body: unknown]> {
    const parts = (request.url ?? '').split('/').slice(1).map(decodeURIComponent)
    try {
      if (parts[0] === 'schemas') return [200, answerOf(await registry.schemaById(Number(parts[2])))]
      if (parts[0] === 'config') {
        return fake.compatibility ? [200, { compatibilityLevel: fake.compatibility }] : [404, { message: 'no config' }]
      }
      const subject = parts[1]!
      if (parts.at(-1) === 'latest') return [200, answerOf(await registry.latest(subject))]
      const { schema, schemaType } = JSON.parse(await text(request))
      if (parts[0] === 'compatibility') {
        const messages = await registry.incompatibilities(parts[2]!, schema, schemaType)
        return [200, { is_compatible: messages.length === 0, messages }]
      }
      if (parts.at(-1) === 'versions') return [200, { id: await registry.register(subject, schema, schemaType) }]
      const id = await registry.lookup(subject, schema, schemaType)
      return id === undefined ? [404, { error_code: 40403, message: 'Schema not found' }] : [200, { id }]
    } catch (error) {
      return [404, { message: (error as Error).message }]
    }
  }

  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return Object.assign(fake, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections()
      return new Promise<void>(resolve => void server.close(() => resolve()))
    },
  })
}

/** Registries leave the type out where it is Avro. */
function answerOf({ type, ...answer }: RegisteredSchema): object {
  return type === 'AVRO' ? answer : { ...answer, schemaType: type }
}

async function text(request: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of request) body += chunk
  return body
}
