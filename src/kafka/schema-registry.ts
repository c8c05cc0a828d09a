/**
 * A Confluent-compatible schema registry over HTTP (Confluent, Karapace, Redpanda; Apicurio at /apis/ccompat/v7); the only
 * importer of @kafkajs/confluent-schema-registry, and of its requests alone: what it builds on them has no timeouts,
 * insists on compatibility levels, and gives compiled schemas, which have lost the names of logical types.
 */
import { Agent } from 'node:https'
import type { SecureContextOptions } from 'node:tls'
import api from '@kafkajs/confluent-schema-registry/dist/api/index.js'
import { withoutCredentials } from '../credentials.ts'
import { RunInferenceError } from '../errors.ts'
import { type Clock, systemClock } from '../ops/clock.ts'
import type { RegisteredSchema, SchemaRegistryPort, SchemaType } from './codec.ts'
import { tlsFault } from './tls-fault.ts'

export interface SchemaRegistryOptions {
  /** Base URL, e.g. `http://localhost:8081` or `http://localhost:8080/apis/ccompat/v7`; may hold user and password. */
  readonly url: string
  readonly auth?: { readonly username: string; readonly password: string }
  /** Of an https URL: whom to trust (`ca`, default: the authorities that Node.js knows), and our own certificate and key. */
  readonly tls?: Pick<SecureContextOptions, 'ca' | 'cert' | 'key' | 'passphrase'>
  /** How long one request may take; default 5,000. */
  readonly timeoutMs?: number
  readonly clock?: Clock
}

/** What a registry answers about a schema; `schemaType` is left out for Avro. */
interface SchemaAnswer {
  readonly id: number
  readonly schema: string
  readonly schemaType?: string
  readonly references?: readonly Reference[] | null
}
interface Reference {
  readonly name: string
  readonly subject: string
  readonly version: number
}

interface CompatibilityAnswer {
  readonly is_compatible: boolean
  readonly messages?: readonly string[]
}

type Requests = ReturnType<typeof api.default>

/**
 * Every method rejects with REGISTRY_UNAVAILABLE (retriable: no answer, or none of a registry, a timeout, 408, 429, 5xx),
 * AUTHORISATION (401, 403, a certificate that is refused or not trusted), DECODE_UNKNOWN_SCHEMA (`schemaById` of an unknown id) or REGISTRY_REFUSED (anything else).
 * Nothing is retried here.
 */
export function createSchemaRegistry(options: SchemaRegistryOptions): SchemaRegistryPort {
  const { url, timeoutMs = 5_000, clock = systemClock } = options
  const requests = connect(options, timeoutMs)

  /** A request with a deadline. `what` completes "The schema registry at … cannot". */
  async function ask<T>(what: string, request: (requests: Requests) => Promise<{ data(): unknown }>): Promise<T> {
    let cancel = () => {}
    const deadline = new Promise<never>((_resolve, reject) => {
      cancel = clock.after(timeoutMs, () =>
        reject(Object.assign(new Error(`no answer within ${timeoutMs} ms`), { status: 408 })),
      )
    })
    try {
      const response = await Promise.race([request(requests), deadline])
      return response.data() as T
    } catch (error) {
      throw translate(error, `The schema registry at ${withoutCredentials(url)} cannot ${what}`)
    } finally {
      cancel()
    }
  }

  /** With what the schema refers to, and what that refers to, and so on. */
  async function complete({ schema, schemaType, references }: SchemaAnswer): Promise<RegisteredSchema> {
    const found = new Map<string, string>()
    const visit = async (references: readonly Reference[]): Promise<void> => {
      for (const { name, subject, version } of references) {
        if (found.has(name)) continue
        const what = `give version ${version} of subject ${subject}`
        const answer = await ask<SchemaAnswer>(what, ({ Subject }) => Subject.version({ subject, version }))
        await visit(answer.references ?? [])
        found.set(name, answer.schema)
      }
    }
    await visit(references ?? [])
    return {
      type: schemaType ?? 'AVRO',
      schema,
      references: [...found].map(([name, schema]) => ({ name, schema })),
    }
  }

  return {
    async schemaById(id) {
      const what = `give the schema with id ${id}`
      const answer = await ask<SchemaAnswer>(what, ({ Schema }) => Schema.find({ id })).catch(error => {
        if (!isNotFound(error)) throw error
        throw new RunInferenceError('DECODE_UNKNOWN_SCHEMA', `The schema registry does not know schema id ${id}`)
      })
      return complete(answer)
    },
    async latest(subject) {
      const what = `give the latest version of subject ${subject}`
      const answer = await ask<SchemaAnswer>(what, ({ Subject }) => Subject.latestVersion({ subject }))
      return { id: answer.id, ...(await complete(answer)) }
    },
    async register(subject, schema, type) {
      const what = `register a schema under subject ${subject}`
      const body = bodyOf(schema, type)
      return (await ask<SchemaAnswer>(what, ({ Subject }) => Subject.register({ subject, body }))).id
    },
    async lookup(subject, schema, type) {
      const what = `look up a schema under subject ${subject}`
      const body = bodyOf(schema, type)
      try {
        return (await ask<SchemaAnswer>(what, ({ Subject }) => Subject.registered({ subject, body }))).id
      } catch (error) {
        if (isNotFound(error)) return undefined
        throw error
      }
    },
    async incompatibilities(subject, schema, type) {
      const what = `compare a schema with the latest version of subject ${subject}`
      const body = bodyOf(schema, type)
      try {
        const question = { subject, body, verbose: true }
        const answer = await ask<CompatibilityAnswer>(what, ({ Subject }) => Subject.compatible(question))
        if (answer.is_compatible) return []
        return answer.messages?.length ? answer.messages : ['the registry does not say why']
      } catch (error) {
        // Nothing to be compared with.
        if (isNotFound(error)) return []
        throw error
      }
    },
  }
}

function bodyOf(schema: string, type: SchemaType = 'AVRO') {
  // Registries that know Avro alone do not know the field.
  return type === 'AVRO' ? { schema } : { schema, schemaType: type }
}

function connect(options: SchemaRegistryOptions, timeoutMs: number): Requests {
  const url = new URL(options.url)
  const { username, password } = url
  const own =
    username === '' ? undefined : { username: decodeURIComponent(username), password: decodeURIComponent(password) }
  const auth = options.auth ?? own
  // The client's errors carry the URL, and errors are logged.
  url.username = ''
  url.password = ''
  return api.default({
    host: url.href.replace(/\/+$/, ''),
    ...(auth ? { auth } : {}),
    ...(url.protocol === 'https:' ? { agent: new Agent({ ...options.tls, keepAlive: true }) } : {}),
    // Its retries hide an outage for seconds; the pipeline pauses and backs off by itself.
    retry: { retries: 0 },
    middlewares: [() => ({ request: request => Promise.resolve(request.enhance({ timeout: timeoutMs })) })],
  })
}

const SETTINGS = { ca: 'registryCaFile', cert: 'registryCertFile', address: 'registryUrl' }

/** What was said of a request that was not answered, or not in JSON. */
function noAnswer(error: unknown): string | undefined {
  return error instanceof Error ? /Error, status 400: ([\s\S]*)/.exec(error.message)?.[1] : undefined
}

function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined
  // A request without an answer comes as status 400 too; a registry that refuses a request says why, in JSON.
  if (noAnswer(error) !== undefined) return 503
  return 'status' in error ? Number(error.status) : undefined
}

/** Of a gateway without a way to the registry, or of a path that is none of a registry: its own 404 names what it lacks. */
function isForeign404(error: unknown): boolean {
  return statusOf(error) === 404 && /Error, status 404|HTTP 404 Not Found/.test((error as Error).message)
}

function translate(error: unknown, what: string): RunInferenceError {
  const status = statusOf(error)
  const fault = noAnswer(error)
  if (fault !== undefined) {
    // A page may say anything; those of gateways name the certificate that they miss.
    const isPage = fault.trimStart().startsWith('<') && !/SSL certificate/.test(fault)
    const untrusted = isPage ? undefined : tlsFault(fault, SETTINGS)
    if (untrusted) return new RunInferenceError('AUTHORISATION', `${what}: ${untrusted}`, { cause: error })
    // A server that expects TLS ends the connection of one who does not begin it.
    if (/socket hang up|ECONNRESET/.test(fault)) {
      const advice = 'if it goes on, look whether it expects https, and whether it takes our certificate'
      return new RunInferenceError('REGISTRY_UNAVAILABLE', `${what}: ${fault}; ${advice}`, { cause: error })
    }
  }
  if (isForeign404(error)) {
    const remedy = 'it answers 404, and not as a registry does; check the path of its URL, and what stands before it'
    return RunInferenceError.from(error, 'REGISTRY_UNAVAILABLE', `${what}: ${remedy}`)
  }
  if (status === 401 || status === 403) {
    return RunInferenceError.from(error, 'AUTHORISATION', `${what} to this client (${status})`)
  }
  if (status !== undefined && (status >= 500 || status === 408 || status === 429)) {
    return RunInferenceError.from(error, 'REGISTRY_UNAVAILABLE', what)
  }
  return RunInferenceError.from(error, 'REGISTRY_REFUSED', status === undefined ? what : `${what} (${status})`)
}

function isNotFound(error: unknown): boolean {
  return error instanceof RunInferenceError && error.code === 'REGISTRY_REFUSED' && statusOf(error.cause) === 404
}
