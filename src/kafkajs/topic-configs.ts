import type { Cluster } from './cluster.ts'
import { brokerError, errorName } from './protocol-errors.ts'

/** The resource type of topics in DescribeConfigs and AlterConfigs. */
export const TOPIC_RESOURCE = 2

interface DescribeConfigsAnswer {
  readonly resources: readonly {
    readonly errorCode: number
    readonly resourceName: string
    readonly configEntries: readonly {
      readonly configName: string
      readonly configValue: string | null
      readonly configSource: number
    }[]
  }[]
}

/** Where DescribeConfigs says that a value was set on the topic itself. */
const SET_ON_TOPIC = 1

/**
 * The settings of each topic: those in force, defaults too, or only those `set on the topic`. A topic that does not exist
 * (any more) is not in the answer. Rejects AUTHORISATION by name.
 */
export async function describeTopicConfigs(
  cluster: Cluster,
  topics: readonly string[],
  which: 'in force' | 'set on the topic' = 'in force',
): Promise<Map<string, Record<string, string>>> {
  if (topics.length === 0) return new Map()
  const answer = await cluster.anyBroker<DescribeConfigsAnswer>('DescribeConfigs', {
    resources: topics.map(name => ({ type: TOPIC_RESOURCE, name, configNames: [] })),
    includeSynonyms: false,
  })
  const configs = new Map<string, Record<string, string>>()
  for (const { errorCode, resourceName, configEntries } of answer.resources) {
    const name = errorName(errorCode)
    if (name === 'UNKNOWN_TOPIC_OR_PARTITION') continue
    if (errorCode !== 0)
      throw brokerError(
        name,
        `Reading the settings of topic '${resourceName}'`,
        `DescribeConfigs on topic '${resourceName}'`,
      )
    const wanted = which === 'in force' ? configEntries : configEntries.filter(e => e.configSource === SET_ON_TOPIC)
    const entries = wanted.map(({ configName, configValue }) => [configName, configValue ?? ''] as const)
    configs.set(resourceName, Object.fromEntries(entries))
  }
  return configs
}
