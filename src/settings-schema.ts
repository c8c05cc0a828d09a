/** Every setting: its kind, bounds, default and help. Names carry their units. */
import { availableParallelism } from 'node:os'
import { z } from 'zod'
import type { StartPosition } from './kafka/port.ts'
import { isTopicName } from './kafka/topic-names.ts'
import { DEFAULT_RUN_SETTINGS as RUN } from './run-settings.ts'
import { groupOf, type SettingGroup } from './settings-groups.ts'
import { isEndpoint, isModelRoot, isOrigin } from './settings-places.ts'

const whole = (min: number, max = Number.MAX_SAFE_INTEGER) => {
  const expected =
    max === Number.MAX_SAFE_INTEGER ? `a whole number from ${min}` : `a whole number from ${min} to ${max}`
  // Flags and environment are text.
  const number = z.preprocess(
    value => (typeof value === 'string' && value.trim() !== '' ? Number(value) : value),
    z.int(expected).min(min, expected).max(max, expected),
  )
  return number.meta({ takes: 'number' })
}
const SHARE = 'a number from 0 to 1'
const share = z
  .preprocess(
    value => (typeof value === 'string' && value.trim() !== '' ? Number(value) : value),
    z.number(SHARE).min(0, SHARE).max(1, SHARE),
  )
  .meta({ takes: 'number' })
const words = (help: string) => z.string(help).min(1, help)
const file = words('the name of a PEM file').meta({ takes: 'file' })
const secretFile = words('the name of a file').meta({ takes: 'file' }).optional()
const HOLDS_IT = 'file that holds it, such as a mounted secret'
const oneOf = <const T extends string>(choices: readonly T[], expected: string) =>
  z.enum(choices, expected).meta({ takes: 'name', choices })

const ADDRESS = /^[^\s:]+:\d{1,5}$|^\[[0-9a-fA-F:]+\]:\d{1,5}$/
const BROKERS = 'host:port of at least one broker, separated by commas'
const brokers = z
  .preprocess(
    value => (typeof value === 'string' ? value.split(',').map(broker => broker.trim()) : value),
    z.array(z.string(BROKERS).regex(ADDRESS, BROKERS), BROKERS).min(1, BROKERS),
  )
  .meta({ takes: 'addresses' })

const ROOTS = 'folders, https://host/path or s3://bucket/prefix, without users and queries, separated by commas'
const roots = z
  .preprocess(
    value => (typeof value === 'string' ? value.split(',').map(root => root.trim()) : value),
    z.array(z.string(ROOTS).refine(isModelRoot, ROOTS), ROOTS),
  )
  .meta({ takes: 'places' })
const NAMES = 'names of hosts, without ports, separated by commas'
const hostNames = z
  .preprocess(
    value => (typeof value === 'string' ? value.split(',').map(name => name.trim()) : value),
    z.array(z.string(NAMES).regex(/^[\w-]+(\.[\w-]+)*$/, NAMES), NAMES),
  )
  .meta({ takes: 'names' })
const TOKEN = 'at least 16 characters, no spaces among them'
const TOPICS = 'names of topics, separated by commas'
const topics = z
  .preprocess(
    value => (typeof value === 'string' ? value.split(',').map(topic => topic.trim()) : value),
    z.array(z.string(TOPICS).refine(isTopicName, TOPICS), TOPICS),
  )
  .meta({ takes: 'topics' })
const ORIGIN = 'an http or https URL of a host alone'
const origin = z.string(ORIGIN).refine(isOrigin, ORIGIN).meta({ takes: 'url' }).optional()
const ENDPOINT = 'an http or https URL without user and query'
const endpoint = z.string(ENDPOINT).refine(isEndpoint, ENDPOINT).meta({ takes: 'url' }).optional()

const START = '"earliest", "latest", "none" or a time like 2026-01-31T12:00:00Z'
const POSITIONS = ['earliest', 'latest', 'none'] as const
const start = z
  .string(START)
  .transform((text, context): StartPosition => {
    const position = POSITIONS.find(each => each === text)
    if (position !== undefined) return position
    const timestampMs = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN
    if (Number.isFinite(timestampMs)) return { timestampMs }
    context.addIssue({ code: 'custom', message: START })
    return z.NEVER
  })
  .meta({ takes: 'position', choices: [...POSITIONS, 'an ISO time'] })

const boolean = z
  .preprocess(value => (value === 'true' ? true : value === 'false' ? false : value), z.boolean('true or false'))
  .meta({ takes: 'boolean', choices: ['true', 'false'] })

export const settingsSchema = z.strictObject({
  brokers: brokers.describe('Kafka brokers, host:port,host:port (no default)'),
  clientId: words('a name').default('kafka-run-inference').describe("name in the broker's logs and quotas"),
  tls: boolean.default(false).describe('encrypt connections to the brokers'),
  tlsCaFile: file.optional().describe('PEM file of the authority that signed the brokers’ certificates'),
  tlsCertFile: file.optional().describe('PEM file of our certificate (mutual TLS)'),
  tlsKeyFile: file.optional().describe('PEM file of its key'),
  tlsKeyPassword: words('a password')
    .optional()
    .describe('password of tlsKeyFile, and of registryKeyFile, if encrypted; better in a file'),
  tlsKeyPasswordFile: secretFile.describe(HOLDS_IT),
  saslMechanism: oneOf(['plain', 'scram-sha-256', 'scram-sha-512'], 'plain, scram-sha-256 or scram-sha-512')
    .optional()
    .describe('how to log in to the brokers'),
  saslUsername: words('a user name').optional().describe('user of the brokers'),
  saslPassword: words('a password').optional().describe('its password; better in a file or KRI_SASL_PASSWORD'),
  saslPasswordFile: secretFile.describe(HOLDS_IT),
  registryUrl: z
    .url({ protocol: /^https?$/, error: 'an http or https URL' })
    .meta({ takes: 'url' })
    .optional()
    .describe('Confluent-compatible schema registry'),
  registryCaFile: file.optional().describe('PEM file of the authority that signed the registry’s certificate'),
  registryCertFile: file.optional().describe('PEM file of our certificate for the registry (mutual TLS)'),
  registryKeyFile: file.optional().describe('PEM file of its key'),
  registryUsername: words('a user name').optional().describe('user of the registry'),
  registryPassword: words('a password').optional().describe('its password; better in a file or KRI_REGISTRY_PASSWORD'),
  registryPasswordFile: secretFile.describe(HOLDS_IT),
  logLevel: oneOf(['debug', 'info', 'warn', 'error', 'silent'], 'debug, info, warn, error or silent')
    .default('info')
    .describe('least severe log line that is written'),

  lanes: whole(1, 1024)
    .default(Math.max(1, availableParallelism() - 1))
    .describe('threads or child processes that run models; those on a GPU have one (default: cores - 1)'),
  maxInFlightRows: whole(1)
    .optional()
    .describe(
      'records taken from Kafka and not done; above it, partitions pause (default: 32768; with exactly_once 131072)',
    ),
  maxInFlightBytes: whole(1024).default(RUN.maxInFlightBytes).describe('the same in bytes'),
  processingGuarantee: oneOf(['at_least_once', 'exactly_once'], 'at_least_once or exactly_once')
    .default(RUN.processingGuarantee)
    .describe('at_least_once: a fault may repeat outputs; exactly_once: transactions, nothing is seen twice'),
  commitIntervalMs: whole(1)
    .default(RUN.commitIntervalMs)
    .describe(
      'how often finished offsets are committed; with exactly_once, how soon after a transaction the next begins',
    ),
  transactionTimeoutMs: whole(1_000)
    .default(RUN.transactionTimeoutMs)
    .describe('exactly_once: the broker aborts a transaction that is open for longer'),
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
  stuckMs: whole(1_000)
    .default(RUN.stuckMs)
    .describe('a model call that takes so long ends its child process, or the application if it is in a thread'),
  floodRatio: share
    .default(RUN.floodRatio)
    .describe('share of dead letters, at one stage of one step, above which the application halts; 1 = never'),
  floodWindowMs: whole(1_000).default(RUN.floodWindowMs).describe('time over which that share is counted'),
  floodMinRecords: whole(1).default(RUN.floodMinRecords).describe('records below which it says nothing'),
  start: start
    .default(RUN.start)
    .describe('where a group begins that has never committed, none: it is refused; ignored by any other group'),
  httpHost: words('an address of this machine')
    .default('127.0.0.1')
    .describe('where /livez, /readyz, /metrics, /resume and the console listen; nobody is asked who they are'),
  httpPort: z
    .union([z.literal('off'), whole(0, 65_535)], 'a port (0 = any free one) or "off"')
    .meta({ takes: 'port' })
    .default(8080)
    .describe('their port; 0 = any free one, off = none'),
  console: oneOf(['on', 'off'], 'on or off')
    .optional()
    .describe('whether kri run has the console there, under /console/ (default: on where httpHost is loopback)'),
  consoleHosts: hostNames
    .default([])
    .describe('names, beside localhost and addresses, under which browsers find the console, comma-separated'),
  consoleToken: z
    .string(TOKEN)
    .regex(/^[\x21-\x7e]{16,}$/, TOKEN)
    .optional()
    .describe('who has it may replay and publish in the console; without it, nobody; better in a file'),
  consoleTokenFile: secretFile.describe(HOLDS_IT),

  modelRoots: roots
    .optional()
    .describe(
      'from where models may be loaded, comma-separated (default: the folders of the models that the topology declares)',
    ),
  maxModelBytes: whole(1)
    .default(2 ** 31)
    .describe('of one model; a larger one is refused'),
  modelLoadTimeoutMs: whole(1)
    .default(RUN.modelLoadTimeoutMs)
    .describe('how long a published model may take to be loaded and warm'),
  trialWindowMs: whole(1_000)
    .default(RUN.trialWindowMs)
    .describe('over which time a model on trial is compared with the one beside it, where it may be given up'),
  modelFetchTimeoutMs: whole(1_000).default(300_000).describe('how long fetching one model may take'),
  modelCacheFolder: words('a folder')
    .meta({ takes: 'folder' })
    .optional()
    .describe('where fetched models are kept (default: models in the cache folder, see KRI_CACHE_FOLDER)'),
  maxModelCacheBytes: whole(0)
    .default(10 * 2 ** 30)
    .describe('of that folder; above it, models that are not in use leave'),
  modelToken: words('a token')
    .optional()
    .describe('bearer token for models over http(s); better in a file or KRI_MODEL_TOKEN'),
  modelTokenFile: secretFile.describe(HOLDS_IT),
  modelTokenOrigin: origin.describe('the only host that the token is sent to, e.g. https://models.example.com'),
  s3Endpoint: endpoint.describe('S3-compatible store (default: AWS, in s3Region)'),
  s3Region: words('a region').default('us-east-1').describe('its region, as signatures name it'),
  s3Addressing: oneOf(['path', 'virtual'], 'path or virtual')
    .optional()
    .describe('the bucket stands in the path or before the host (default: path with s3Endpoint, virtual without)'),
  s3AccessKeyId: words('an access key id').optional().describe('key for the store; without it requests are not signed'),
  s3SecretAccessKey: words('a secret access key')
    .optional()
    .describe('its secret; better in a file or KRI_S3_SECRET_ACCESS_KEY'),
  s3SecretAccessKeyFile: secretFile.describe(HOLDS_IT),
  s3SessionToken: words('a session token')
    .optional()
    .describe('of temporary credentials; better in a file or KRI_S3_SESSION_TOKEN'),
  s3SessionTokenFile: secretFile.describe(HOLDS_IT),

  replayTargets: topics
    .default([])
    .describe('topics that dead letters may be replayed to with --to topic:<name>, comma-separated (default: none)'),

  partitions: whole(1).default(4).describe('of source topics that do not exist yet'),
  replicationFactor: whole(1, 100).default(1).describe('of topics that do not exist yet'),
  minIsr: whole(1, 100).default(1).describe('min.insync.replicas of topics that do not exist yet'),
})

/** Everything that can be set, complete and checked. Names carry their units; `kri run --help` explains each. */
export type Settings = Readonly<z.infer<typeof settingsSchema>>
export type SettingName = keyof Settings

export type { SettingGroup } from './settings-groups.ts'

export interface SettingHelp {
  readonly name: SettingName
  readonly group: SettingGroup
  readonly help: string
  /** What its value is, in a word: `number`, `file`; `text` where any will do. */
  readonly takes: string
  /** The values that there are, if they can be listed. */
  readonly choices: readonly string[] | undefined
  readonly fallback: unknown
}

let help: readonly SettingHelp[] | undefined

/** For `--help`, in the order above. */
export function settingsHelp(): readonly SettingHelp[] {
  help ??= describeAll()
  return help
}

function describeAll(): readonly SettingHelp[] {
  return Object.entries(settingsSchema.shape).map(([key, field]) => {
    const name = key as SettingName
    const group = groupOf(name)
    const parsed = field.safeParse(undefined)
    const fallback = parsed.success ? parsed.data : undefined
    return { name, group, help: field.description ?? '', ...valuesOf(field), fallback }
  })
}

/** What a kind says of itself, under the wrappers that make a setting of it. */
function valuesOf(kind: unknown): Pick<SettingHelp, 'takes' | 'choices'> {
  if (kind instanceof z.ZodDefault || kind instanceof z.ZodOptional) return valuesOf(kind.unwrap())
  const { takes = 'text', choices } = (kind as z.ZodType).meta() ?? {}
  return { takes: takes as string, choices: choices as readonly string[] | undefined }
}
