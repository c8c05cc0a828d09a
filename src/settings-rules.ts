/** Settings that must fit together. */
import type { SettingName, Settings } from './settings-schema.ts'

interface Rule {
  readonly name: SettingName
  /** The other one. */
  readonly beside: SettingName
  readonly isBroken: (settings: Settings) => boolean
  readonly expected: (settings: Settings) => string
}

const RULES: readonly Rule[] = [
  {
    name: 'heartbeatIntervalMs',
    beside: 'sessionTimeoutMs',
    isBroken: ({ heartbeatIntervalMs, sessionTimeoutMs }) => 3 * heartbeatIntervalMs > sessionTimeoutMs,
    expected: ({ sessionTimeoutMs }) => `at most a third of sessionTimeoutMs (${sessionTimeoutMs})`,
  },
  {
    name: 'drainBudgetMs',
    beside: 'rebalanceTimeoutMs',
    isBroken: ({ drainBudgetMs, rebalanceTimeoutMs }) => drainBudgetMs >= rebalanceTimeoutMs,
    expected: ({ rebalanceTimeoutMs }) => `less than rebalanceTimeoutMs (${rebalanceTimeoutMs})`,
  },
  {
    name: 'minIsr',
    beside: 'replicationFactor',
    isBroken: ({ minIsr, replicationFactor }) => minIsr > replicationFactor,
    expected: ({ replicationFactor }) =>
      `at most replicationFactor (${replicationFactor}): else nothing could be written`,
  },
  {
    name: 'saslUsername',
    beside: 'saslMechanism',
    isBroken: ({ saslMechanism, saslUsername }) => saslMechanism !== undefined && saslUsername === undefined,
    expected: () => 'a user name, since saslMechanism is set',
  },
  {
    name: 'saslPassword',
    beside: 'saslMechanism',
    isBroken: ({ saslMechanism, saslPassword }) => saslMechanism !== undefined && saslPassword === undefined,
    expected: () => 'a password, since saslMechanism is set',
  },
  {
    name: 'registryPassword',
    beside: 'registryUsername',
    isBroken: ({ registryUsername, registryPassword }) =>
      registryUsername !== undefined && registryPassword === undefined,
    expected: () => 'a password, since registryUsername is set',
  },
  {
    name: 'modelTokenOrigin',
    beside: 'modelToken',
    isBroken: ({ modelToken, modelTokenOrigin }) => (modelToken === undefined) !== (modelTokenOrigin === undefined),
    expected: () => 'both modelToken and modelTokenOrigin, or neither: it is sent nowhere else',
  },
  {
    name: 's3SecretAccessKey',
    beside: 's3AccessKeyId',
    isBroken: ({ s3AccessKeyId, s3SecretAccessKey }) =>
      (s3AccessKeyId === undefined) !== (s3SecretAccessKey === undefined),
    expected: () => 'both s3AccessKeyId and s3SecretAccessKey, or neither',
  },
  {
    name: 's3SessionToken',
    beside: 's3AccessKeyId',
    isBroken: ({ s3AccessKeyId, s3SessionToken }) => s3AccessKeyId === undefined && s3SessionToken !== undefined,
    expected: () => 'none without s3AccessKeyId',
  },
  {
    name: 'tlsKeyFile',
    beside: 'tlsCertFile',
    isBroken: ({ tlsCertFile, tlsKeyFile }) => (tlsCertFile === undefined) !== (tlsKeyFile === undefined),
    expected: () => 'both tlsCertFile and tlsKeyFile, or neither',
  },
  {
    name: 'registryKeyFile',
    beside: 'registryCertFile',
    isBroken: ({ registryCertFile, registryKeyFile }) =>
      (registryCertFile === undefined) !== (registryKeyFile === undefined),
    expected: () => 'both registryCertFile and registryKeyFile, or neither',
  },
  {
    name: 'registryUrl',
    beside: 'registryCaFile',
    isBroken: ({ registryUrl, registryCaFile, registryCertFile }) =>
      (registryCaFile ?? registryCertFile) !== undefined && registryUrl?.startsWith('https:') !== true,
    expected: () => 'one that begins with https, since certificates for the registry are given',
  },
  {
    name: 'tls',
    beside: 'tlsCaFile',
    isBroken: ({ tls, tlsCaFile, tlsCertFile }) => !tls && (tlsCaFile ?? tlsCertFile) !== undefined,
    expected: () => 'true, since certificates are given',
  },
]

/** The rules that these settings break; those about a setting that is wrong by itself are left out. */
export function brokenRules(
  settings: Settings,
  wrong: readonly string[],
): readonly { readonly name: string; readonly expected: string }[] {
  return RULES.filter(
    ({ name, beside, isBroken }) => !wrong.includes(name) && !wrong.includes(beside) && isBroken(settings),
  ).map(({ name, expected }) => ({ name, expected: expected(settings) }))
}
