/**
 * What is known about the cluster: where its brokers are, which of them leads each partition, and the channels to them.
 * Built on kafkajs's connections and request encodings; its own Cluster object is left out, since it refuses the
 * metadata of all topics for one bad topic, swallows errors and retries without end where we need to say what is wrong.
 *
 * M1 Metadata answers are read per topic: one missing topic hides nothing about the others.
 * M2 A refresh that is under way is shared; a refresh that fails leaves what was known.
 * M3 Nothing here retries: callers own the backoff, and say what they are waiting for.
 */
import { RunInferenceError } from '../errors.ts'
import type { Clock } from '../ops/clock.ts'
import { Channel, type ConnectionSettings } from './channel.ts'
import { assertAnswer, clientError } from './protocol-errors.ts'

export interface TopicInfo {
  readonly name: string
  /** Error code of the whole topic, 0 where it exists. */
  readonly errorCode: number
  /** Broker id of each partition's leader, by partition number; −1 while there is none. */
  readonly leaders: readonly number[]
  readonly replicationFactor: number
}

interface MetadataAnswer {
  readonly brokers: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[]
  readonly controllerId: number
  readonly topicMetadata: readonly {
    readonly topicErrorCode: number
    readonly topic: string
    readonly partitionMetadata: readonly {
      readonly partitionId: number
      readonly leader: number
      readonly replicas: readonly number[]
    }[]
  }[]
}

interface CoordinatorAnswer {
  readonly errorCode: number
  readonly coordinator: { readonly nodeId: number; readonly host: string; readonly port: number }
}

export interface ClusterOptions {
  /** `host:port` of some brokers; the others are learnt from these. */
  readonly brokers: readonly string[]
  readonly connection: ConnectionSettings
  readonly clock: Clock
  readonly random: () => number
  /** How old metadata may get before it is asked for again, in milliseconds. */
  readonly metadataMaxAgeMs: number
}

/** FindCoordinator's two kinds of key. */
export type CoordinatorType = 'group' | 'transaction'

export class Cluster {
  readonly #options: ClusterOptions
  readonly #channels = new Map<string, Channel>()
  readonly #tracked = new Set<string>()
  readonly #listeners = new Set<() => void>()
  readonly #coordinators = new Map<string, string>()
  #addresses = new Map<number, string>()
  #topics = new Map<string, TopicInfo>()
  #controllerId = -1
  #refreshing: Promise<void> | undefined
  #cancelTimer: (() => void) | undefined
  #closed = false
  /** Sockets keep a process alive, but in an outage there are none, and a process that waits must not end. */
  #keepAlive: NodeJS.Timeout | undefined

  constructor(options: ClusterOptions) {
    this.#options = options
  }

  /** Topics whose metadata `refresh` brings; they stay tracked. True when one of them is new. */
  track(topics: Iterable<string>): boolean {
    const before = this.#tracked.size
    for (const topic of topics) this.#tracked.add(topic)
    return this.#tracked.size > before
  }

  topic(name: string): TopicInfo | undefined {
    return this.#topics.get(name)
  }

  /** Broker id, or −1 while nobody is known to lead this partition. */
  leader(topic: string, partition: number): number {
    return this.#topics.get(topic)?.leaders[partition] ?? -1
  }

  get brokerIds(): readonly number[] {
    return [...this.#addresses.keys()]
  }

  /** Called after each refresh; the returned function ends that. */
  onRefresh(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Asks for the metadata of all tracked topics, once for all who ask meanwhile. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined
    })
    return this.#refreshing
  }

  /** Metadata of just these topics, kept nowhere. */
  async describe(topics: readonly string[]): Promise<readonly TopicInfo[]> {
    if (topics.length === 0) return []
    const answer = await this.#ask(topics)
    return answer.topicMetadata.map(topicInfo)
  }

  /** The channel to a broker for one purpose; requests of one purpose queue behind each other, those of two do not. */
  channel(nodeId: number, purpose: string): Channel {
    const address = this.#addresses.get(nodeId)
    if (address === undefined) {
      throw new RunInferenceError('BROKER_UNAVAILABLE', `Broker ${nodeId} is in no metadata that was read so far.`)
    }
    return this.#channelTo(address, purpose)
  }

  async controller(purpose: string): Promise<Channel> {
    await this.refresh()
    return this.channel(this.#controllerId, purpose)
  }

  /** The channel to the coordinator of a group or a transactional id, asked for once until `forgetCoordinator`. */
  async coordinator(type: CoordinatorType, key: string, purpose: string): Promise<Channel> {
    const name = `${type}/${key}`
    let address = this.#coordinators.get(name)
    if (address === undefined) {
      const answer = await this.anyBroker<CoordinatorAnswer>('GroupCoordinator', {
        groupId: key,
        coordinatorType: type === 'group' ? 0 : 1,
      })
      assertAnswer(
        answer.errorCode,
        `Looking for the coordinator of ${type} '${key}'`,
        type === 'group'
          ? `Describe on group '${key}', or Read where it joins it`
          : `Write on transactional id '${key}'`,
      )
      address = `${answer.coordinator.host}:${answer.coordinator.port}`
      this.#coordinators.set(name, address)
    }
    return this.#channelTo(address, purpose)
  }

  forgetCoordinator(type: CoordinatorType, key: string): void {
    this.#coordinators.delete(`${type}/${key}`)
  }

  /** Breaks the connections of all purposes that begin so. */
  closePurposes(prefix: string): void {
    for (const [key, channel] of this.#channels) {
      if (!key.startsWith(prefix)) continue
      channel.close()
      this.#channels.delete(key)
    }
  }

  close(): void {
    this.#closed = true
    this.#cancelTimer?.()
    clearInterval(this.#keepAlive)
    for (const channel of this.#channels.values()) channel.close()
    this.#channels.clear()
  }

  /** A request that any broker answers: known brokers first, in random order, then those that the settings name. */
  async anyBroker<T>(api: string, args: object): Promise<T> {
    if (this.#closed) throw closedError()
    const failures: string[] = []
    for (const address of this.#candidates()) {
      try {
        return await this.#channelTo(address, 'control').call<T>(api, args)
      } catch (error) {
        const failure = clientError(error, address)
        if (!failure.retriable) throw failure
        failures.push(failure.message)
      }
    }
    const text = `No broker answers ${api}. Tried: ${failures.join('; ')}. Check the addresses, that a broker runs there, and whether it expects TLS or SASL.`
    throw new RunInferenceError('BROKER_UNAVAILABLE', text)
  }

  #candidates(): Set<string> {
    const known = [...this.#addresses.values()]
    for (let i = known.length - 1; i > 0; i--) {
      const j = Math.floor(this.#options.random() * (i + 1))
      const swapped = known[i]!
      known[i] = known[j]!
      known[j] = swapped
    }
    // A broker that is silent costs a timeout: who has a connection is asked first.
    const connected = (address: string) => (this.#channels.get(`control ${address}`)?.connected ? 0 : 1)
    known.sort((a, b) => connected(a) - connected(b))
    return new Set([...known, ...this.#options.brokers])
  }

  #channelTo(address: string, purpose: string): Channel {
    if (this.#closed) throw closedError()
    this.#keepAlive ??= setInterval(() => {}, LONGEST_INTERVAL_MS)
    const key = `${purpose} ${address}`
    let channel = this.#channels.get(key)
    if (channel === undefined) {
      channel = new Channel(address, this.#options.connection)
      this.#channels.set(key, channel)
    }
    return channel
  }

  /** Breaks the connections to brokers that are not where they were. */
  #closeUnknown(): void {
    const known = this.#candidates()
    for (const [key, channel] of this.#channels) {
      if (known.has(channel.address)) continue
      channel.close()
      this.#channels.delete(key)
    }
  }

  async #ask(topics: readonly string[]): Promise<MetadataAnswer> {
    return this.anyBroker<MetadataAnswer>('Metadata', { topics, allowAutoTopicCreation: false })
  }

  async #refresh(): Promise<void> {
    if (this.#closed) throw closedError()
    this.#cancelTimer?.()
    this.#cancelTimer = this.#options.clock.after(this.#options.metadataMaxAgeMs, () => {
      // The next user of the metadata meets the outage itself; the timer is armed again either way.
      this.refresh().catch(() => {})
    })
    // An empty list would mean all topics of the cluster; a name that no topic can have means none.
    const asked = [...this.#tracked]
    const answer = await this.#ask(asked.length > 0 ? asked : ['.'])
    // Whoever has tracked more meanwhile waits for this very refresh, and would find no leaders of it.
    if (this.#tracked.size > asked.length) return this.#refresh()
    this.#controllerId = answer.controllerId
    this.#addresses = new Map(answer.brokers.map(b => [b.nodeId, `${b.host}:${b.port}`]))
    const topics = new Map<string, TopicInfo>()
    for (const topic of answer.topicMetadata) topics.set(topic.topic, topicInfo(topic))
    this.#topics = topics
    this.#closeUnknown()
    for (const listener of this.#listeners) listener()
  }
}

function closedError(): RunInferenceError {
  return new RunInferenceError('CLOSED', 'The Kafka client was closed.')
}

/** The longest that Node.js takes. */
const LONGEST_INTERVAL_MS = 2 ** 31 - 1

function topicInfo(topic: MetadataAnswer['topicMetadata'][number]): TopicInfo {
  const leaders = new Array<number>(topic.partitionMetadata.length).fill(-1)
  for (const { partitionId, leader } of topic.partitionMetadata) leaders[partitionId] = leader
  return {
    name: topic.topic,
    errorCode: topic.topicErrorCode,
    leaders,
    replicationFactor: topic.partitionMetadata[0]?.replicas.length ?? 0,
  }
}
