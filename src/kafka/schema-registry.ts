/**
 * A Confluent-compatible schema registry over HTTP (Confluent, Karapace, Redpanda; Apicurio at /apis/ccompat/v7); the only
 * importer of @kafkajs/confluent-schema-registry, which is used for its requests alone: it has no timeouts, does not
 * remember failures, and compiles a resolver per message when it decodes.
 */
import { COMPATIBILITY, SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry'
import { RunInferenceError } from '../errors.ts'
import { type Clock, systemClock } from '../ops/clock.ts'
import type { SchemaRegistryPort } from './codec.ts'

export interface SchemaRegistryOptions {
  /** Base URL, e.g. `http://localhost:8081` or `http://localhost:8080/apis/ccompat/v7`. */
  readonly url: string
  readonly auth?: { readonly username: string; readonly password: string }
  /** How long one request may take; default 5,000. */
  readonly timeoutMs?: number
  readonly clock?: Clock
}

/**
 * Every method rejects with REGISTRY_UNAVAILABLE (retriable: no answer, a timeout, 408, 429, 5xx), AUTHORISATION (401, 403),
 * DECODE_UNKNOWN_SCHEMA (`schemaById` of an unknown id) or REGISTRY_REFUSED (anything else). Nothing is retried here.
 */
export function createSchemaRegistry(options: SchemaRegistryOptions): SchemaRegistryPort {
  const { url, timeoutMs = 5_000, clock = systemClock } = options
  let client = connect(options, timeoutMs)

  /** A request with a deadline. `what` completes "The schema registry at … cannot". */
  async function ask<T>(what: string, request: (client: SchemaRegistry) => Promise<T>): Promise<T> {
    const asked = client
    let cancel = () => {}
    const deadline = new Promise<never>((_resolve, reject) => {
      cancel = clock.after(timeoutMs, () => {
        // The library shares running requests between callers: a request that hangs would hang its followers too.
        if (client === asked) client = connect(options, timeoutMs)
        reject(Object.assign(new Error(`no answer within ${timeoutMs} ms`), { status: 408 }))
      })
    })
    try {
      return await Promise.race([request(asked), deadline])
    } catch (error) {
      throw translate(error, `The schema registry at ${url} cannot ${what}`)
    } finally {
      cancel()
    }
  }

  return {
    async schemaById(id) {
      const schema = await ask(`give the schema with id ${id}`, client => client.getSchema(id)).catch(error => {
        throw unknownOr(error, id)
      })
      // Compiled Avro types print themselves as their schema; JSON Schema and Protobuf have no such form.
      if ('toJSON' in schema) return JSON.stringify(schema)
      throw new RunInferenceError('DECODE_MALFORMED', `Schema id ${id} is not an Avro schema`)
    },
    async latest(subject) {
      const id = await ask(`give the latest version of subject ${subject}`, client => client.getLatestSchemaId(subject))
      return { id, schema: await this.schemaById(id) }
    },
    async register(subject, schema) {
      const avro = { type: SchemaType.AVRO as const, schema }
      const registerAs = (compatibility: COMPATIBILITY) =>
        ask(`register a schema under subject ${subject}`, client =>
          client.register(avro, { subject, compatibility, updateConfig: false }),
        )
      const registered = await registerAs(COMPATIBILITY.BACKWARD).catch(error => {
        // The library insists on knowing the subject's compatibility level. It belongs to the operator: take it over.
        const level = /!= (\w+)\)/.exec((error as Error).message)?.[1]
        if (level === undefined || !(level in COMPATIBILITY)) throw error
        return registerAs(level as COMPATIBILITY)
      })
      return registered.id
    },
    async lookup(subject, schema) {
      try {
        return await ask(`look up a schema under subject ${subject}`, client =>
          client.getRegistryIdBySchema(subject, { type: SchemaType.AVRO, schema }),
        )
      } catch (error) {
        if (isNotFound(error)) return undefined
        throw error
      }
    },
  }
}

function connect(options: SchemaRegistryOptions, timeoutMs: number): SchemaRegistry {
  return new SchemaRegistry({
    host: options.url.replace(/\/+$/, ''),
    ...(options.auth ? { auth: options.auth } : {}),
    // Its retries hide an outage for seconds; the pipeline pauses and backs off by itself.
    retry: { retries: 0 },
    middlewares: [() => ({ request: request => Promise.resolve(request.enhance({ timeout: timeoutMs })) })],
  })
}

/** The library throws a plain error with a status, or, from a lookup that finds nothing, its own error without one. */
function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined
  if (error.name === 'ConfluentSchemaRegistryError') return 404
  // A request without an answer comes as status 400 too; a registry that refuses a request says why, in JSON.
  if (/Error, status 400: /.test(error.message)) return 503
  return 'status' in error ? Number(error.status) : undefined
}

function translate(error: unknown, what: string): RunInferenceError {
  const status = statusOf(error)
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

/** What a failed request for a schema means to the records that carry its id. */
function unknownOr(error: unknown, id: number): unknown {
  if (isNotFound(error)) {
    return new RunInferenceError('DECODE_UNKNOWN_SCHEMA', `The schema registry does not know schema id ${id}`)
  }
  // An answer without an HTTP error that could not be compiled: the schema itself is what is wrong.
  if (error instanceof RunInferenceError && error.code === 'REGISTRY_REFUSED' && statusOf(error.cause) === undefined) {
    return new RunInferenceError('DECODE_MALFORMED', `Schema id ${id} cannot be used: ${error.message}`, {
      cause: error,
    })
  }
  return error
}
