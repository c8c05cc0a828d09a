/**
 * What a broker's error codes, and kafkajs's exceptions, mean for us: may we try again, and if not, whose fault is it.
 */
import { type ErrorCode, RunInferenceError } from '../errors.ts'
import { tlsFault } from '../kafka/tls-fault.ts'
import { errorCodes } from './internals.ts'

/** Codes that brokers answer and kafkajs 2.2.4 does not know, as far as our requests can meet them. */
const NEWER_CODES: readonly (readonly [number, string])[] = [
  [89, 'THROTTLING_QUOTA_EXCEEDED'],
  [90, 'PRODUCER_FENCED'],
  [97, 'INVALID_UPDATE_VERSION'],
  [100, 'UNKNOWN_TOPIC_ID'],
  [103, 'INCONSISTENT_TOPIC_ID'],
  [110, 'FENCED_MEMBER_EPOCH'],
  [120, 'TRANSACTION_ABORTABLE'],
]

const NAMES = new Map<number, string>([[0, 'NONE'], ...errorCodes.map(e => [e.code, e.type] as const), ...NEWER_CODES])
const MESSAGES = new Map(errorCodes.map(e => [e.type, e.message]))

/** The protocol's name of an error code, e.g. 27 is REBALANCE_IN_PROGRESS; 0 is NONE. */
export function errorName(code: number): string {
  return NAMES.get(code) ?? `ERROR_CODE_${code}`
}

const CODES: Readonly<Record<string, ErrorCode>> = {
  ...same('AUTHORISATION', [
    'TOPIC_AUTHORIZATION_FAILED',
    'GROUP_AUTHORIZATION_FAILED',
    'CLUSTER_AUTHORIZATION_FAILED',
    'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
    'DELEGATION_TOKEN_AUTHORIZATION_FAILED',
    'DELEGATION_TOKEN_EXPIRED',
    'SASL_AUTHENTICATION_FAILED',
    'UNSUPPORTED_SASL_MECHANISM',
    'ILLEGAL_SASL_STATE',
    'SECURITY_DISABLED',
  ]),
  ...same('TOPIC_MISSING', ['UNKNOWN_TOPIC_OR_PARTITION', 'UNKNOWN_TOPIC_ID', 'INVALID_TOPIC_EXCEPTION']),
  ...same('TOPIC_POLICY', ['POLICY_VIOLATION', 'INVALID_CONFIG', 'INVALID_REPLICATION_FACTOR', 'INVALID_PARTITIONS']),
  ...same('OFFSET_OUT_OF_RANGE', ['OFFSET_OUT_OF_RANGE']),
  ...same('BROKER_UNAVAILABLE', [
    // The broker's own "unexpected error" is seen while it starts or stops, and passes.
    'UNKNOWN',
    'LEADER_NOT_AVAILABLE',
    'NOT_LEADER_FOR_PARTITION',
    'REQUEST_TIMED_OUT',
    'BROKER_NOT_AVAILABLE',
    'REPLICA_NOT_AVAILABLE',
    'NETWORK_EXCEPTION',
    'GROUP_LOAD_IN_PROGRESS',
    'GROUP_COORDINATOR_NOT_AVAILABLE',
    'NOT_COORDINATOR_FOR_GROUP',
    'NOT_ENOUGH_REPLICAS',
    'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
    'NOT_CONTROLLER',
    'KAFKA_STORAGE_ERROR',
    'FENCED_LEADER_EPOCH',
    'UNKNOWN_LEADER_EPOCH',
    'OFFSET_NOT_AVAILABLE',
    'PREFERRED_LEADER_NOT_AVAILABLE',
    'ELIGIBLE_LEADERS_NOT_AVAILABLE',
    'UNSTABLE_OFFSET_COMMIT',
    'CONCURRENT_TRANSACTIONS',
    'REBALANCE_IN_PROGRESS',
    'STALE_BROKER_EPOCH',
    'THROTTLING_QUOTA_EXCEEDED',
    'INCONSISTENT_TOPIC_ID',
  ]),
}

/** Answers after which to look for the coordinator again. */
export const COORDINATOR_MOVED: ReadonlySet<string> = new Set([
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
])

function same(code: ErrorCode, names: readonly string[]): Record<string, ErrorCode> {
  return Object.fromEntries(names.map(name => [name, code]))
}

const LOGIN_REMEDY = 'Check saslMechanism, saslUsername and saslPassword.'
const REMEDIES_BY_NAME: Readonly<Record<string, string>> = {
  SASL_AUTHENTICATION_FAILED: LOGIN_REMEDY,
  UNSUPPORTED_SASL_MECHANISM: 'Set saslMechanism to one that this listener has.',
  ILLEGAL_SASL_STATE: 'This listener has no SASL: leave saslMechanism out, or use the port of one that has.',
}
const REMEDIES: Readonly<Partial<Record<ErrorCode, string>>> = {
  AUTHORISATION: 'Grant this principal the operation, or give the right credentials.',
  TOPIC_MISSING: 'Create the topic (`kri topics apply`) or correct its name.',
  TOPIC_POLICY: "Change the topic's settings to what the cluster allows.",
}

/**
 * The error of ours for a code that a broker answered; `what` says what was asked and about which object, `needs` what the
 * principal must be granted for it, e.g. `Read on topic 'in'`.
 */
export function brokerError(name: string, what: string, needs?: string): RunInferenceError {
  const code = CODES[name] ?? 'BROKER_REFUSED'
  const isAboutGrants = needs !== undefined && name.endsWith('_AUTHORIZATION_FAILED')
  const remedy = isAboutGrants ? `Grant this principal ${needs}.` : (REMEDIES_BY_NAME[name] ?? REMEDIES[code])
  const said = MESSAGES.get(name)
  const error = new RunInferenceError(
    code,
    `${what}: the broker answered ${name}${said ? ` (${said})` : ''}.${remedy ? ` ${remedy}` : ''}`,
  )
  answers.set(error, name)
  return error
}

const answers = new WeakMap<RunInferenceError, string>()

/** The protocol's name of what the broker answered; undefined for errors that are not about an answer. */
export function answeredName(error: RunInferenceError): string | undefined {
  return answers.get(error)
}

/** Throws unless the code is 0. */
export function assertAnswer(errorCode: number, what: string, needs?: string): void {
  if (errorCode !== 0) throw brokerError(errorName(errorCode), what, needs)
}

/** The error of ours for an exception of kafkajs: connection trouble is an outage, wrong credentials are not. */
export function clientError(error: unknown, what: string): RunInferenceError {
  if (error instanceof RunInferenceError) return error
  const { name, type, code, message } = error as { name?: string; type?: string; code?: string; message?: string }
  if (name === 'KafkaJSSASLAuthenticationError') {
    return new RunInferenceError('AUTHORISATION', `${what}: ${message}. ${LOGIN_REMEDY}`, { cause: error })
  }
  if (typeof type === 'string') {
    // Of a login that failed the broker says why.
    const login = type === 'SASL_AUTHENTICATION_FAILED' ? `${what}: ${message}` : what
    return withCause(brokerError(type, login), error)
  }
  const fault = name !== undefined && OUTAGES.has(name) ? tlsFault(`${message} (${code})`, TLS_SETTINGS) : undefined
  if (fault !== undefined) return new RunInferenceError('AUTHORISATION', `${what}: ${fault}`, { cause: error })
  if (name !== undefined && OUTAGES.has(name)) {
    return new RunInferenceError('BROKER_UNAVAILABLE', `${what}: ${message}`, { cause: error })
  }
  if (name?.startsWith('KafkaJS')) {
    return new RunInferenceError('BROKER_REFUSED', `${what}: ${message}`, { cause: error })
  }
  if (code !== undefined && BEYOND_ITS_END.has(code)) {
    const text = `${what}: the answer ends too early, or has lengths that leave it (${message})`
    return new RunInferenceError('BROKER_REFUSED', text, { cause: error })
  }
  return new RunInferenceError('BUG', `${what}: ${message ?? String(error)}`, { cause: error })
}

/** What Node says to a decoder of kafkajs that reads behind the end of an answer. */
const BEYOND_ITS_END = new Set(['ERR_OUT_OF_RANGE', 'ERR_BUFFER_OUT_OF_BOUNDS'])

const TLS_SETTINGS = { ca: 'tlsCaFile', cert: 'tlsCertFile', address: 'brokers' }

const OUTAGES = new Set([
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
  'KafkaJSRequestTimeoutError',
  'KafkaJSLockTimeout',
])

function withCause(error: RunInferenceError, cause: unknown): RunInferenceError {
  error.cause = cause
  return error
}
