/** Topics, settings and offsets. Each call tries again through short outages, up to a deadline, and then says what failed. */
import type { GroupCommit, GroupDescription, KafkaAdmin, LogEnd, NewTopic, TopicDescription } from '../kafka/port.ts'
import type { Clock } from '../ops/clock.ts'
import { Backoff } from './backoff.ts'
import type { Cluster } from './cluster.ts'
import { describeGroup } from './group-description.ts'
import { fetchCommits, fetchCommitted } from './group-offsets.ts'
import { EARLIEST, LATEST, listOffsets } from './list-offsets.ts'
import { partitionKey } from './partition-key.ts'
import { brokerError, clientError, errorName } from './protocol-errors.ts'
import { needsToSee, requireTopics } from './topic-check.ts'
import { describeTopicConfigs, TOPIC_RESOURCE } from './topic-configs.ts'

/** How long the controller may take to create or delete. */
const CONTROLLER_TIMEOUT_MS = 8_000

interface TopicErrors {
  readonly topicErrors: readonly {
    readonly topic: string
    readonly errorCode: number
    readonly errorMessage?: string | null
  }[]
}

interface AlterConfigsAnswer {
  readonly resources: readonly { readonly errorCode: number; readonly errorMessage: string | null }[]
}

export class Admin implements KafkaAdmin {
  readonly #cluster: Cluster
  readonly #clock: Clock
  readonly #random: () => number
  readonly #purpose: string
  /** How long a call goes on trying. */
  readonly #patienceMs: number

  constructor(context: {
    cluster: Cluster
    clock: Clock
    random: () => number
    purpose: string
    patienceMs: number
  }) {
    this.#cluster = context.cluster
    this.#clock = context.clock
    this.#random = context.random
    this.#purpose = context.purpose
    this.#patienceMs = context.patienceMs
  }

  describeTopics(names: readonly string[]): Promise<readonly TopicDescription[]> {
    return this.#persist('Describing topics', async () => {
      const answers = await this.#cluster.describe(names)
      for (const { name, errorCode } of answers) {
        // Whether it is there is not told to who may not see it.
        const failure = brokerError(errorName(errorCode), `Topic '${name}'`, needsToSee(name))
        // One of which a broker cannot say anything for the moment is not one that is missing.
        if (failure.code === 'AUTHORISATION' || failure.retriable) throw failure
      }
      const found = answers.filter(topic => topic.errorCode === 0)
      const configs = await describeTopicConfigs(
        this.#cluster,
        found.map(topic => topic.name),
      )
      // One that is being deleted may have been there a moment ago.
      return found.flatMap(({ name, leaders, replicationFactor }) => {
        const settings = configs.get(name)
        return settings ? [{ name, partitions: leaders.length, replicationFactor, configs: settings }] : []
      })
    })
  }

  async createTopics(topics: readonly NewTopic[]): Promise<void> {
    if (topics.length === 0) return
    await this.#persist('Creating topics', async () => {
      const controller = await this.#cluster.controller(this.#purpose)
      const answer = await controller.call<TopicErrors>('CreateTopics', {
        topics: topics.map(({ name, partitions, replicationFactor, configs }) => ({
          topic: name,
          numPartitions: partitions,
          replicationFactor,
          configEntries: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
        })),
        validateOnly: false,
        timeout: CONTROLLER_TIMEOUT_MS,
      })
      throwTopicErrors(answer, 'Creating', ['TOPIC_ALREADY_EXISTS'])
    })
    const names = topics.map(topic => topic.name)
    await this.#persist('Waiting for the leaders of new topics', async () => {
      const described = await this.#cluster.describe(names)
      const waiting = described.find(
        topic => topic.errorCode !== 0 || topic.leaders.length === 0 || topic.leaders.includes(-1),
      )
      if (waiting) throw brokerError('LEADER_NOT_AVAILABLE', `Topic '${waiting.name}'`)
    })
  }

  async deleteTopics(names: readonly string[]): Promise<void> {
    if (names.length === 0) return
    await this.#persist('Deleting topics', async () => {
      const controller = await this.#cluster.controller(this.#purpose)
      const answer = await controller.call<TopicErrors>('DeleteTopics', {
        topics: names,
        timeout: CONTROLLER_TIMEOUT_MS,
      })
      throwTopicErrors(answer, 'Deleting', ['UNKNOWN_TOPIC_OR_PARTITION'])
    })
  }

  async setTopicConfigs(name: string, configs: Readonly<Record<string, string>>): Promise<void> {
    const what = `Changing the settings of topic '${name}'`
    await this.#persist(what, async () => {
      // AlterConfigs replaces all settings of the topic: those that are set already go along.
      const kept = await describeTopicConfigs(this.#cluster, [name], 'set on the topic')
      const entries = Object.entries({ ...kept.get(name), ...configs })
      const controller = await this.#cluster.controller(this.#purpose)
      const answer = await controller.call<AlterConfigsAnswer>('AlterConfigs', {
        resources: [
          { type: TOPIC_RESOURCE, name, configEntries: entries.map(([key, value]) => ({ name: key, value })) },
        ],
        validateOnly: false,
      })
      for (const { errorCode, errorMessage } of answer.resources) {
        if (errorCode === 0) continue
        const said = errorMessage ? `${what}: ${errorMessage}` : what
        throw brokerError(errorName(errorCode), said, `AlterConfigs on topic '${name}'`)
      }
    })
  }

  offsets(topic: string, end?: LogEnd): Promise<readonly { readonly start: number; readonly end: number }[]> {
    return this.#persist(`Reading the offsets of topic '${topic}'`, async () => {
      const partitions = await this.#partitionsOf(topic)
      const ask = (timestampMs: number) =>
        listOffsets(
          this.#cluster,
          this.#purpose,
          partitions.map(partition => ({ topic, partition, timestampMs })),
          end,
        )
      const [starts, ends] = [await ask(EARLIEST), await ask(LATEST)]
      return partitions.map(partition => {
        const key = partitionKey(topic, partition)
        return { start: starts.get(key)!, end: ends.get(key)! }
      })
    })
  }

  committed(groupId: string, topic: string): Promise<readonly number[]> {
    return this.#askGroup(`Reading the committed offsets of group '${groupId}'`, groupId, async () => {
      const partitions = await this.#partitionsOf(topic)
      const offsets = await fetchCommitted(this.#cluster, this.#purpose, groupId, new Map([[topic, partitions]]))
      return partitions.map(partition => offsets.get(partitionKey(topic, partition)) ?? -1)
    })
  }

  commits(groupId: string, topic: string, { isStable = false } = {}): Promise<readonly GroupCommit[]> {
    return this.#askGroup(`Reading the committed offsets of group '${groupId}'`, groupId, async () => {
      const partitions = await this.#partitionsOf(topic)
      const asked = new Map([[topic, partitions]])
      const commits = await fetchCommits(this.#cluster, this.#purpose, groupId, asked, { requireStable: isStable })
      return partitions.map(partition => commits.get(partitionKey(topic, partition)) ?? { offset: -1, metadata: '' })
    })
  }

  describeGroup(groupId: string): Promise<GroupDescription> {
    const ask = () => describeGroup(this.#cluster, this.#purpose, groupId)
    return this.#askGroup(`Describing group '${groupId}'`, groupId, ask)
  }

  brokerCount(): Promise<number> {
    return this.#persist('Counting brokers', async () => {
      await this.#cluster.refresh()
      return this.#cluster.brokerIds.length
    })
  }

  async #partitionsOf(topic: string): Promise<number[]> {
    await requireTopics({ cluster: this.#cluster, clock: this.#clock, random: this.#random }, [topic])
    return Array.from({ length: this.#cluster.topic(topic)!.leaders.length }, (_, partition) => partition)
  }

  /** Tries again while an outage lasts, until the deadline. */
  /** Asks the coordinator of a group; it may have moved, so each attempt behind a failed one asks who it is now. */
  #askGroup<T>(what: string, groupId: string, attempt: () => Promise<T>): Promise<T> {
    return this.#persist(what, () =>
      attempt().catch(error => {
        this.#cluster.forgetCoordinator('group', groupId)
        throw error
      }),
    )
  }

  async #persist<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    const deadlineMs = this.#clock.now() + this.#patienceMs
    const backoff = new Backoff(this.#clock, this.#random)
    for (;;) {
      try {
        return await attempt()
      } catch (error) {
        const failure = clientError(error, what)
        if (!failure.retriable || this.#clock.now() > deadlineMs) throw failure
        await backoff.wait()
      }
    }
  }
}

function throwTopicErrors({ topicErrors }: TopicErrors, doing: string, fine: readonly string[]): void {
  for (const { topic, errorCode, errorMessage } of topicErrors) {
    const name = errorName(errorCode)
    if (name === 'NONE' || fine.includes(name)) continue
    const what = `${doing} topic '${topic}'`
    const said = errorMessage ? `${what}: ${errorMessage}` : what
    throw brokerError(name, said, `${doing === 'Creating' ? 'Create' : 'Delete'} on topic '${topic}'`)
  }
}
