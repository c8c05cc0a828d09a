/**
 * Runs a topology: checks it and its topics, opens codecs and models, joins the group, and stops in order.
 * Everything outside (Kafka, lanes, registry, clock, chance, metrics) is given, so that the test driver runs the same code.
 */
import { caughtUp } from './caught-up.ts'
import { type ConsumerGroup, consumerGroups } from './consumer-groups.ts'
import { isRetriable, RunInferenceError } from './errors.ts'
import { groupMembers, type MemberOfTopics } from './group-members.ts'
import type { GroupMember } from './kafka/port.ts'
import { replayTopic } from './kafka/topic-names.ts'
import { optionalTopics, planTopics, requireApplied, topicNames } from './kafka/topics.ts'
import { requireResources } from './models/required-resources.ts'
import { sleep } from './ops/clock.ts'
import { OutageLog } from './ops/outage-log.ts'
import { createHealth, type Health, type HealthReport } from './ops/run-health.ts'
import { type Assembly, assemble } from './pipeline/assemble.ts'
import { createLiveRun, type LiveRun } from './refresh/live-run.ts'
import type { RunParts } from './run-parts.ts'
import { assertValid, type Topology } from './topology.ts'
import { tellOfTransactions } from './transaction-notice.ts'

export type { RunParts } from './run-parts.ts'
export type { RunSettings } from './run-settings.ts'

const CAUGHT_UP_POLL_MS = 200
const FIRST_START_RETRY_MS = 500
const MAX_START_RETRY_MS = 10_000

/** A topology at work. */
export interface RunningTopology {
  /** Resolves when the instance has joined its group, or groups; rejects when it cannot start. */
  whenReady(): Promise<void>
  /**
   * Resolves true when the whole group (all groups, where parts have their own) has committed everything that is in the source
   * topics now, and what that has become in topics between parts; false when it was stopped before. `onProgress` is told now
   * and then how far it has come since, in offsets of all partitions. Rejects TOO_MANY_DEAD_LETTERS when the application halts.
   */
  whenCaughtUp(onProgress?: (done: number, total: number) => void): Promise<boolean>
  /** Resolves after `stop`; rejects with the reason when the topology had to end by itself. */
  readonly finished: Promise<void>
  health(): HealthReport
  /** Where reading of each partition stands that this instance has now, by `topic/partition`. */
  positions(): Readonly<Record<string, number>>
  /** Lets the application go on after the flood guard has halted it; false: it was not halted. */
  resume(): boolean
  /** Stops fetching, finishes what is in flight within the budget, commits, leaves. Safe to call twice. */
  stop(): Promise<void>
}

/** Starts a topology; returns at once. */
export function startTopology(topology: Topology, parts: RunParts): RunningTopology {
  return new Running(topology, parts)
}

class Running implements RunningTopology {
  readonly #topology: Topology
  readonly #parts: RunParts
  readonly #health: Health
  readonly #outages: OutageLog
  readonly #ready: Promise<void>
  readonly finished: Promise<void>
  readonly #stopSignal = new AbortController()
  readonly #stopped = Promise.withResolvers<void>()
  #assembly: Assembly | undefined
  #live: LiveRun | undefined
  #member: GroupMember | undefined
  #stopping: Promise<void> | undefined
  #halted: RunInferenceError | undefined
  /** Why it ended by itself. */
  #failure: RunInferenceError | undefined

  constructor(topology: Topology, parts: RunParts) {
    this.#topology = topology
    this.#parts = parts
    this.#health = createHealth(topology.applicationId, parts.executor.lanes, parts.settings)
    this.#outages = new OutageLog(parts.logger, parts.clock)
    this.finished = this.#stopped.promise
    // Whoever does not look at `finished` learns of the failure from `whenReady`, the log and the health report.
    this.finished.catch(() => {})
    this.#ready = this.#start().catch((error: unknown) => {
      // Of several members one may say why, and the others only that they were stopped.
      throw this.#failure ?? error
    })
    this.#ready.catch((error: unknown) => this.#fail(error))
  }

  whenReady(): Promise<void> {
    return this.#ready
  }

  async whenCaughtUp(onProgress?: (done: number, total: number) => void): Promise<boolean> {
    try {
      await this.#ready
    } catch (error) {
      if (this.#stopSignal.signal.aborted) return false
      throw error
    }
    const { port, clock } = this.#parts
    return caughtUp(this.#topology, {
      admin: port.admin,
      whenAvailable: attempt => this.#whenAvailable('broker', attempt),
      pause: async () => {
        if (this.#halted) throw this.#halted
        await Promise.race([sleep(clock, CAUGHT_UP_POLL_MS), this.finished])
      },
      isStopping: () => this.#stopping !== undefined,
      onProgress,
    })
  }

  health(): HealthReport {
    return this.#health.report(this.#member)
  }

  positions(): Readonly<Record<string, number>> {
    return this.#assembly?.pipeline.positions() ?? {}
  }

  resume(): boolean {
    const { logger } = this.#parts
    if (!this.#halted || this.#stopping !== undefined) return false
    this.#halted = undefined
    this.#health.halted(undefined)
    logger.info({}, 'goes on after the halt')
    this.#assembly!.resume()
    return true
  }

  stop(): Promise<void> {
    this.#stopSignal.abort()
    this.#stopping ??= this.#stop().then(this.#stopped.resolve, this.#stopped.reject)
    return this.finished
  }

  async #start(): Promise<void> {
    const { logger, machine } = this.#parts
    assertValid(this.#topology)
    if (machine) requireResources(this.#topology.steps, machine, warning => logger.warn({}, warning))
    // Asked for nothing but names so far: a stop need not wait for a broker that does not answer.
    await Promise.race([this.#whenAvailable('broker', () => this.#requireTopics()), this.#whenStopped()])
    this.#health.topicsChecked()
    const told = {
      onOutage: (what: string, error: unknown) => {
        this.#health.degraded(what, error)
        this.#outages.began(what, error)
      },
      onRecovered: (what: string) => {
        this.#health.recovered(what)
        this.#outages.over(what)
      },
    }
    const live = createLiveRun(this.#topology, {
      ...{ ...this.#parts, ...told },
      memberIds: () => this.#member?.memberIds() ?? [],
      positions: () => this.positions(),
    })
    this.#live = live
    if (live) this.#health.watchSlots(() => live.slots())
    const assembly = await this.#whenAvailable('broker or registry', () =>
      assemble(this.#topology, {
        ...{ ...this.#parts, ...told, live, signal: this.#stopSignal.signal },
        note: this.#parts.note ?? (() => {}),
        member: () => this.#member!,
        onFatal: error => this.#fail(error),
        onHalted: reason => this.#halt(reason),
      }),
    )
    this.#assembly = assembly
    this.#health.modelsWarm(assembly.models)
    await live?.trialsLoaded()
    if (this.#stopping !== undefined) return
    const groups = consumerGroups(this.#topology)
    this.#member = groupMembers(groups.map(group => this.#join(group, assembly, groups.length > 1)))
    await this.#member.start()
    this.#health.joined()
    live?.joined()
  }

  #join({ id, sources }: ConsumerGroup, assembly: Assembly, isOneOfSeveral: boolean): MemberOfTopics {
    const { port, settings, logger } = this.#parts
    const { pipeline, beforeAssigned } = assembly
    const { applicationId } = this.#topology
    const subscriptions = sources.flatMap(({ topic, writtenBy }) => [
      // What our own parts write is theirs to read from its beginning, whenever they begin.
      { topic, start: writtenBy ? ('earliest' as const) : settings.start },
      { topic: replayTopic(applicationId, topic), start: 'earliest' as const },
    ])
    const topics = new Set(subscriptions.map(({ topic }) => topic))
    const member = port.member(
      { groupId: id, sources: subscriptions, ...settings, maxBytesPerFetch: 4 * settings.maxBytesPerPartition },
      {
        ...(beforeAssigned ? { beforeAssigned } : {}),
        onAssigned: partitions => pipeline.onAssigned(partitions),
        onLost: partitions => pipeline.onLost(partitions),
        onBlock: (block, epoch) => pipeline.onBlock(block, epoch),
        onRebalance: () => pipeline.onRebalance(topics),
        onFatal: error => this.#fail(error),
        onState: (state, reason) => {
          this.#health.member(id, state, reason)
          if (state === 'joined') {
            pipeline.onJoined(topics)
            if (this.#health.report(this.#member).ready) this.#live?.joined()
          }
          logger.info({ ...(isOneOfSeveral ? { group: id } : {}), state, reason: reason?.message }, 'group member')
        },
      },
    )
    return { member, topics }
  }

  /** An outage is waited for, at the start as well (I10); rejects with what waiting does not mend. */
  async #whenAvailable<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    const { clock, random, logger } = this.#parts
    for (let delayMs = FIRST_START_RETRY_MS; ; delayMs = Math.min(delayMs * 2, MAX_START_RETRY_MS)) {
      try {
        const result = await attempt()
        this.#health.recovered(what)
        return result
      } catch (error) {
        if (!isRetriable(error) || this.#stopSignal.signal.aborted) throw error
        this.#health.degraded(what, error)
        logger.warn({ reason: (error as Error).message, retryMs: delayMs }, `waiting for the ${what}`)
        await sleep(clock, delayMs * (0.5 + random() / 2), this.#stopSignal.signal)
      }
    }
  }

  #whenStopped(): Promise<never> {
    return new Promise((_, reject) => {
      const stopped = () => reject(new RunInferenceError('CLOSED', 'the topology was stopped before it had started'))
      this.#stopSignal.signal.addEventListener('abort', stopped, { once: true })
    })
  }

  async #requireTopics(): Promise<void> {
    const { port } = this.#parts
    const optional = optionalTopics(this.#topology)
    const needed = topicNames(this.#topology).filter(name => !optional.includes(name))
    const described = await port.admin.describeTopics(needed)
    const brokerCount = await port.admin.brokerCount()
    requireApplied(
      planTopics(this.#topology, described, { partitions: 1, replicationFactor: 1, minIsr: 1, brokerCount }),
      optional,
    )
    if (this.#parts.settings.processingGuarantee === 'exactly_once')
      tellOfTransactions(this.#topology.applicationId, described, this.#parts.logger)
  }

  async #stop(): Promise<void> {
    await this.#ready.catch(() => {})
    try {
      if (this.#assembly && this.#member) await this.#drain(this.#assembly)
    } finally {
      await this.#close()
    }
  }

  async #drain({ pipeline }: Assembly): Promise<void> {
    const { clock, settings, logger } = this.#parts
    pipeline.stopFetching()
    const drained = pipeline.end().then(() => true)
    const inTime = await Promise.race([drained, sleep(clock, settings.shutdownBudgetMs).then(() => false)])
    if (inTime) return
    // Its commit is refused when the member has left; nobody waits for it any more.
    drained.catch(() => {})
    logger.warn({ budgetMs: settings.shutdownBudgetMs }, 'shutdown budget is over: what is in flight stays uncommitted')
  }

  #halt(reason: RunInferenceError): void {
    this.#halted = reason
    this.#health.halted(reason)
    const { code, message } = reason
    const next =
      'halted: nothing new is taken until kri resume (POST /resume, beside /readyz) or a restart; the dead letters say what fails'
    this.#parts.logger.error({ code, reason: message }, next)
  }

  /** Ends by itself: what is in flight is not committed, and comes again to whoever takes over. */
  #fail(error: unknown): void {
    const { logger } = this.#parts
    const reason = RunInferenceError.from(error, 'BUG')
    if (this.#stopping !== undefined) {
      // Calls that were under way when their parts were closed say so.
      if (reason.code !== 'CLOSED') logger.error({ code: reason.code, err: reason.message }, 'while the topology stops')
      return
    }
    logger.error({ code: reason.code, err: reason.message, stack: reason.stack }, 'the topology ends')
    this.#failure = reason
    this.#health.failed(reason)
    const end = () => this.#stopped.reject(reason)
    this.#stopping = this.#close().then(end, end)
  }

  async #close(): Promise<void> {
    this.#outages.close()
    await Promise.all([this.#member?.stop(), this.#live?.close()])
    await this.#assembly?.close()
    await this.#parts.executor.close()
  }
}
