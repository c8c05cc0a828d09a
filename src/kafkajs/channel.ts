/**
 * One connection to one broker, opened when it is first needed and again after it broke. A channel never retries: it
 * answers, or it rejects with one of our errors and is fresh for the next call.
 *
 * C1 A request that timed out destroys its socket: kafkajs would keep using a connection whose other end is gone.
 * C2 A connection that failed is never used again; the next call opens a new one.
 * C3 A session of SASL that ends is renewed on its connection, behind what is under way there.
 * C4 Error codes inside an answer are returned, not judged: the caller knows which partition they are about.
 *
 * A broker handles the requests of one connection one after the other, and a JoinGroup or a long poll holds up what is
 * behind it. That is why each purpose has a channel of its own.
 */
import type { RunInferenceError } from '../errors.ts'
import {
  apiKeys,
  Broker,
  type Connection,
  ConnectionPool,
  type KafkajsLogger,
  type Protocol,
  type RequestDefinition,
  requests,
} from './internals.ts'
import { listenerMismatch } from './listener-probe.ts'
import { offsetFetch } from './offset-fetch.ts'
import { clientError } from './protocol-errors.ts'
import { createSocket } from './socket.ts'

const DEFINITIONS: Readonly<Record<string, RequestDefinition>> = { ...requests, OffsetFetch: offsetFetch }

/** What every connection of a cluster has in common. */
export interface ConnectionSettings {
  readonly clientId: string
  readonly ssl: object | undefined
  readonly sasl: object | undefined
  readonly connectionTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly logger: KafkajsLogger
}

/** Asks one broker one thing. */
export interface Caller {
  call<T>(api: string, args: object): Promise<T>
}

/** Sends one broker a request of our own. */
export interface Sender {
  send<T>(protocol: Protocol<T>): Promise<T>
}

export class Channel implements Caller, Sender {
  readonly address: string
  readonly #settings: ConnectionSettings
  #open: Promise<Broker> | undefined
  #broker: Broker | undefined
  /** False while `#broker` is still connecting: then it is not connected, and not broken either. */
  #ready = false
  /** Whether anything was ever answered here: then the listener is of the kind that it is taken for. */
  #proven = false

  constructor(address: string, settings: ConnectionSettings) {
    this.address = address
    this.#settings = settings
  }

  get connected(): boolean {
    return this.#ready && this.#broker?.connectionPool.isConnected() === true
  }

  /** Sends a request in the highest version that both sides speak; resolves with the decoded answer. */
  async call<T>(api: string, args: object): Promise<T> {
    const broker = await this.#connected()
    const protocol = broker.lookupRequest(apiKeys[api]!, DEFINITIONS[api]!)(args) as Protocol<T>
    return this.#send(broker, protocol)
  }

  /** Sends a request of our own. */
  async send<T>(protocol: Protocol<T>): Promise<T> {
    return this.#send(await this.#connected(), protocol)
  }

  /** Breaks the connection; requests that wait for an answer reject. */
  close(): void {
    const broker = this.#broker
    this.#open = undefined
    this.#broker = undefined
    this.#ready = false
    for (const connection of broker?.connectionPool.pool ?? []) abandon(connection, 'closed by this client')
  }

  async #connected(): Promise<Broker> {
    if (this.#ready && !this.connected) this.close()
    this.#open ??= this.#connect()
    return this.#open
  }

  async #connect(): Promise<Broker> {
    const { host, port } = parseAddress(this.address)
    const { logger, connectionTimeoutMs, requestTimeoutMs, clientId, ssl, sasl } = this.#settings
    const connectionPool = new ConnectionPool({
      host,
      port,
      clientId,
      ssl,
      sasl,
      logger,
      socketFactory: createSocket,
      connectionTimeout: connectionTimeoutMs,
      requestTimeout: requestTimeoutMs,
      enforceRequestTimeout: true,
    })
    const broker = new Broker({
      connectionPool,
      logger,
      allowAutoTopicCreation: false,
      authenticationTimeout: connectionTimeoutMs,
    })
    this.#broker = broker
    try {
      await broker.connect()
      if (this.#broker === broker) this.#ready = true
      return broker
    } catch (error) {
      this.#drop(broker)
      const failure = await this.#explained(clientError(error, `Connecting to ${this.address}`))
      neverSent.add(failure)
      throw failure
    }
  }

  async #send<T>(broker: Broker, { request, response, requestTimeout }: Protocol<T>): Promise<T> {
    const decode = (payload: Buffer) => response.decode(payload)
    try {
      const connection = await broker.connectionPool.getConnection(0)
      const answer = await connection.send<T>({
        request,
        response: { decode, parse: identity },
        requestTimeout,
        logResponseError: false,
      })
      this.#proven = true
      return answer
    } catch (error) {
      const failure = clientError(error, `${request.apiName} to ${this.address}`)
      if (endsConnection(failure)) this.#drop(broker)
      throw await this.#explained(failure)
    }
  }

  /** A first connection that the other side ends may have met a listener of another kind, which is no outage. */
  async #explained(failure: RunInferenceError): Promise<RunInferenceError> {
    if (this.#proven || !wasEnded(failure)) return failure
    const mismatch = listenerMismatch(parseAddress(this.address), this.#settings)
    return (await mismatch.catch(() => undefined)) ?? failure
  }

  #drop(broker: Broker): void {
    if (this.#broker === broker) {
      this.#open = undefined
      this.#broker = undefined
      this.#ready = false
    }
    for (const connection of broker.connectionPool.pool) abandon(connection, 'given up after an error')
  }
}

/** Failures to connect: the request behind them was not sent. */
const neverSent = new WeakSet<RunInferenceError>()

/** Whether the broker may have seen the request that failed so, and may still carry it out. */
export function mayHaveBeenSent(failure: RunInferenceError): boolean {
  return !neverSent.has(failure)
}

async function identity<T>(answer: T): Promise<T> {
  return answer
}

/** Everything but an answer that was read and says no. */
function endsConnection(failure: RunInferenceError): boolean {
  return (failure.cause as { name?: string } | undefined)?.name !== 'KafkaJSProtocolError'
}

/** By the other side, after the connection was accepted. */
function wasEnded(failure: RunInferenceError): boolean {
  const { code, message } = (failure.cause ?? {}) as { code?: string; message?: string }
  return (
    failure.retriable &&
    (code === 'ECONNRESET' || code === 'EPIPE' || /Closed connection|Not connected/.test(`${message}`))
  )
}

/** Destroys the socket with an error, which is what makes kafkajs reject the requests that wait on it. */
function abandon(connection: Connection, why: string): void {
  connection.socket?.destroy(new Error(why))
}

/** `host:port`, also with an IPv6 address in brackets. */
export function parseAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':')
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '')
  return { host, port: Number(address.slice(colon + 1)) }
}
