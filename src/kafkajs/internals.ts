/**
 * The parts of kafkajs that this folder builds on, required by path and given the few types that are used. kafkajs is
 * pinned: another version may have moved these files, so its version is asserted, and it is mended, before anything is
 * loaded.
 */
import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import { installRepairs } from './repairs.ts'

const require = createRequire(import.meta.url)

installRepairs(require)

/** What kafkajs calls a protocol: how to write one request, and how to read its answer. */
export interface Protocol<T> {
  readonly request: { readonly apiKey: number; readonly apiVersion: number; readonly apiName: string }
  readonly response: { decode(payload: Buffer): Promise<T> }
  /** Milliseconds, where the broker may take its time (JoinGroup, Fetch). */
  readonly requestTimeout?: number
}

export interface Connection {
  readonly socket: Socket | undefined
  isConnected(): boolean
  send<T>(protocol: object): Promise<T>
  disconnect(): Promise<boolean>
}

export interface ConnectionPool {
  getConnection(index: number): Promise<Connection>
  /** Whatever has become of its login. */
  isConnected(): boolean
  readonly pool: readonly Connection[]
}

export interface Broker {
  readonly connectionPool: ConnectionPool
  connect(): Promise<void>
  isConnected(): boolean
  readonly lookupRequest: (apiKey: number, definition: RequestDefinition) => (args: object) => Protocol<unknown>
}

export interface KafkajsLogger {
  namespace(name: string): KafkajsLogger
}

export const Broker = require('kafkajs/src/broker') as new (options: {
  connectionPool: ConnectionPool
  logger: KafkajsLogger
  allowAutoTopicCreation: boolean
  authenticationTimeout: number
}) => Broker

export const ConnectionPool = require('kafkajs/src/network/connectionPool') as new (options: object) => ConnectionPool

/** One message of a login, and how to read its answer; both begin with their length. */
export interface SaslMessage {
  readonly request: { encode(): Promise<Buffer> }
  readonly response: { decode(answer: Buffer): Promise<Buffer>; parse(answer: Buffer): Promise<Buffer> }
}

export interface SaslExchange {
  saslAuthenticate(message: SaslMessage): Promise<Buffer>
}

/** Logs one connection in. */
export type SaslProvider = (exchange: SaslExchange) => { authenticate(): Promise<void> }

type SaslMechanism = (options: { readonly username: string; readonly password: string }) => SaslProvider

export const saslProviders: Readonly<Record<'plain' | 'scram-sha-256' | 'scram-sha-512', SaslMechanism>> = {
  plain: require('kafkajs/src/broker/saslAuthenticator/plain'),
  'scram-sha-256': require('kafkajs/src/broker/saslAuthenticator/scram256'),
  'scram-sha-512': require('kafkajs/src/broker/saslAuthenticator/scram512'),
}

/** The versions of a request that are known, and how to write and read each. */
export interface RequestDefinition {
  readonly versions: readonly string[]
  protocol(choice: { readonly version: number }): (args: object) => Protocol<unknown>
}

export const { requests } = require('kafkajs/src/protocol/requests') as { requests: Record<string, RequestDefinition> }

export const apiKeys = require('kafkajs/src/protocol/requests/apiKeys') as Record<string, number>

export const { errorCodes } = require('kafkajs/src/protocol/error') as {
  errorCodes: readonly { readonly type: string; readonly code: number; readonly message: string }[]
}

export const { createLogger: createKafkajsLogger, LEVELS } = require('kafkajs/src/loggers') as {
  createLogger: (options: { level: number; logCreator: () => (entry: KafkajsLogEntry) => void }) => KafkajsLogger
  LEVELS: { readonly INFO: number }
}

export interface KafkajsLogEntry {
  readonly namespace: string
  readonly label: string
  readonly log: { readonly message: string }
}

interface MemberMetadata {
  readonly version: number
  readonly topics: readonly string[]
  readonly userData: Buffer | null
}

interface MemberAssignment {
  readonly version: number
  readonly assignment: Readonly<Record<string, readonly number[]>>
  readonly userData: Buffer | null
}

/** The bytes of the consumer protocol inside JoinGroup and SyncGroup. */
export const { MemberMetadata, MemberAssignment } = require('kafkajs/src/consumer/assignerProtocol') as {
  MemberMetadata: { encode(value: MemberMetadata): Buffer; decode(bytes: Buffer): MemberMetadata }
  MemberAssignment: { encode(value: MemberAssignment): Buffer; decode(bytes: Buffer): MemberAssignment | null }
}
