/** Every setting: its kind, bounds, default and help. Names carry their units. */
import { availableParallelism } from 'node:os'
import { z } from 'zod'
import type { StartPosition } from './kafka/port.ts'
import { DEFAULT_RUN_SETTINGS as RUN } from './run-settings.ts'

/** Settings that belong to how Kafka and the registry are reached. */
const CONNECTION = [
  'brokers',
  'clientId',
  'tls',
  'tlsCaFile',
  'tlsCertFile',
  'tlsKeyFile',
  'saslMechanism',
  'saslUsername',
  'saslPassword',
  'registryUrl',
  'registryUsername',
  'registryPassword',
  'logLevel',
] as const
const TOPICS = ['partitions', 'replicationFactor', 'minIsr'] as const

const whole = (min: number, max = Number.MAX_SAFE_INTEGER) => {
  const expected =
    max === Number.MAX_SAFE_INTEGER ? `a whole number from ${min}` : `a whole number from ${min} to ${max}`
  // Flags and environment are text.
  const number = z.preprocess(
    value => (typeof value === 'string' && value.trim() !== '' ? Number(value) : value),
    z.int(expected).min(min, expected).max(max, expected),
  )
  return number
}
const words = (help: string) => z.string(help).min(1, help)
const file = words('the name of a PEM file')

const ADDRESS = /^[^\s:]+:\d{1,5}$|^\[[0-9a-fA-F:]+\]:\d{1,5}$/
const BROKERS = 'host:port of at least one broker, separated by commas'
const brokers = z.preprocess(
  value => (typeof value === 'string' ? value.split(',').map(broker => broker.trim()) : value),
  z.array(z.string(BROKERS).regex(ADDRESS, BROKERS), BROKERS).min(1, BROKERS),
)

const START = '"earliest", "latest", "none" or a time like 2026-01-31T12:00:00Z'
const start = z.string(START).transform((text, context): StartPosition => {
  if (text === 'earliest' || text === 'latest' || text === 'none') return text
  const timestampMs = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isFinite(timestampMs)) return { timestampMs }
  context.addIssue({ code: 'custom', message: START })
  return z.NEVER
})

const boolean = z.preprocess(
  value => (value === 'true' ? true : value === 'false' ? false : value),
  z.boolean('true or false'),
)

export const settingsSchema = z
  .strictObject({
    brokers: brokers.describe('Kafka brokers, host:port,host:port (no default)'),
    clientId: words('a name').default('kafka-run-inference').describe("name in the broker's logs and quotas"),
    tls: boolean.default(false).describe('encrypt connections to the brokers'),
    tlsCaFile: file.optional().describe('PEM file of the authority that signed the brokers’ certificates'),
    tlsCertFile: file.optional().describe('PEM file of our certificate (mutual TLS)'),
    tlsKeyFile: file.optional().describe('PEM file of its key'),
    saslMechanism: z
      .enum(['plain', 'scram-sha-256', 'scram-sha-512'], 'plain, scram-sha-256 or scram-sha-512')
      .optional()
      .describe('how to log in to the brokers'),
    saslUsername: words('a user name').optional().describe('user of the brokers'),
    saslPassword: words('a password').optional().describe('its password; better in KRI_SASL_PASSWORD'),
    registryUrl: z
      .url({ protocol: /^https?$/, error: 'an http or https URL' })
      .optional()
      .describe('Confluent-compatible schema registry'),
    registryUsername: words('a user name').optional().describe('user of the registry'),
    registryPassword: words('a password').optional().describe('its password; better in KRI_REGISTRY_PASSWORD'),
    logLevel: z
      .enum(['debug', 'info', 'warn', 'error', 'silent'], 'debug, info, warn, error or silent')
      .default('info')
      .describe('least severe log line that is written'),

    lanes: whole(1, 1024)
      .default(Math.max(1, availableParallelism() - 1))
      .describe('workers that run models (default: cores - 1)'),
    maxInFlightRows: whole(1)
      .default(RUN.maxInFlightRows)
      .describe('records taken from Kafka and not committed; above it, partitions pause'),
    maxInFlightBytes: whole(1024).default(RUN.maxInFlightBytes).describe('the same in bytes'),
    commitIntervalMs: whole(1).default(RUN.commitIntervalMs).describe('how often finished offsets are committed'),
    drainBudgetMs: whole(0).default(RUN.drainBudgetMs).describe('how long a rebalance waits for what is in flight'),
    shutdownBudgetMs: whole(0).default(RUN.shutdownBudgetMs).describe('how long a stop waits for what is in flight'),
    sessionTimeoutMs: whole(1_000)
      .default(RUN.sessionTimeoutMs)
      .describe('silence after which the group takes our partitions'),
    heartbeatIntervalMs: whole(50).default(RUN.heartbeatIntervalMs).describe('time between heartbeats'),
    rebalanceTimeoutMs: whole(1_000)
      .default(RUN.rebalanceTimeoutMs)
      .describe('how long the group waits for members to rejoin'),
    maxBytesPerPartition: whole(1).default(RUN.maxBytesPerPartition).describe('bytes of one partition per fetch'),
    maxFetchWaitMs: whole(0)
      .default(RUN.maxFetchWaitMs)
      .describe('how long a broker may hold a fetch that finds nothing'),
    stallMs: whole(1_000).default(30_000).describe('a main loop that stands still for so long ends the process'),
    stuckMs: whole(1_000).default(RUN.stuckMs).describe('a model call that takes so long ends the process'),
    start: start.default(RUN.start).describe('where a new group begins: earliest, latest, none or an ISO time'),
    httpHost: words('an address of this machine')
      .default('127.0.0.1')
      .describe('where /livez, /readyz and /metrics listen'),
    httpPort: z
      .union([z.literal('off'), whole(0, 65_535)], 'a port (0 = any free one) or "off"')
      .default(8080)
      .describe('their port; 0 = any free one, off = none'),

    partitions: whole(1).default(4).describe('of source topics that do not exist yet'),
    replicationFactor: whole(1, 100).default(1).describe('of topics that do not exist yet'),
    minIsr: whole(1, 100).default(1).describe('min.insync.replicas of topics that do not exist yet'),
  })
  .check(({ value, issues }) => {
    const problem = (name: string, message: string) =>
      issues.push({ code: 'custom', path: [name], message, input: value[name as keyof typeof value] })
    if (3 * value.heartbeatIntervalMs > value.sessionTimeoutMs)
      problem('heartbeatIntervalMs', `at most a third of sessionTimeoutMs (${value.sessionTimeoutMs})`)
    if (value.drainBudgetMs >= value.rebalanceTimeoutMs)
      problem('drainBudgetMs', `less than rebalanceTimeoutMs (${value.rebalanceTimeoutMs})`)
    if (value.minIsr > value.replicationFactor)
      problem('minIsr', `at most replicationFactor (${value.replicationFactor}): else nothing could be written`)
    if (value.saslMechanism !== undefined && value.saslUsername === undefined)
      problem('saslUsername', 'a user name, since saslMechanism is set')
    if (value.saslMechanism !== undefined && value.saslPassword === undefined)
      problem('saslPassword', 'a password, since saslMechanism is set')
    if (value.registryUsername !== undefined && value.registryPassword === undefined)
      problem('registryPassword', 'a password, since registryUsername is set')
    if ((value.tlsCertFile === undefined) !== (value.tlsKeyFile === undefined))
      problem('tlsKeyFile', 'both tlsCertFile and tlsKeyFile, or neither')
    if (!value.tls && (value.tlsCaFile ?? value.tlsCertFile) !== undefined)
      problem('tls', 'true, since certificates are given')
  })

/** Everything that can be set, complete and checked. Names carry their units; `kri run --help` explains each. */
export type Settings = Readonly<z.infer<typeof settingsSchema>>
export type SettingName = keyof Settings

export type SettingGroup = 'connection' | 'topics' | 'run'

export interface SettingHelp {
  readonly name: SettingName
  readonly group: SettingGroup
  readonly help: string
  readonly fallback: unknown
}

/** For `--help`, in the order above. */
export function settingsHelp(): readonly SettingHelp[] {
  return Object.entries(settingsSchema.shape).map(([key, field]) => {
    const name = key as SettingName
    const group = isOneOf(name, CONNECTION) ? 'connection' : isOneOf(name, TOPICS) ? 'topics' : 'run'
    const parsed = field.safeParse(undefined)
    return { name, group, help: field.description ?? '', fallback: parsed.success ? parsed.data : undefined }
  })
}

function isOneOf(name: SettingName, names: readonly SettingName[]): boolean {
  return names.includes(name)
}

export type ParsedSettings =
  | { readonly settings: Settings }
  | { readonly problems: readonly { readonly name: string; readonly expected: string }[] }

/** Checks everything and names every problem. */
export function parseSettings(values: Readonly<Record<string, unknown>>): ParsedSettings {
  const result = settingsSchema.safeParse(values)
  if (result.success) return { settings: Object.freeze(result.data) }
  const problems = result.error.issues.flatMap(issue =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map(name => ({ name, expected: 'no such setting' }))
      : [{ name: String(issue.path[0]), expected: issue.message }],
  )
  // One per setting: several brokers may each be wrong in the same way.
  return { problems: problems.filter(({ name }, i) => problems.findIndex(other => other.name === name) === i) }
}
