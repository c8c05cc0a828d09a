import { hostname, userInfo } from 'node:os'
import { RunInferenceError } from '../errors.ts'
import { modelMetadataTopic, modelStatusTopic } from '../kafka/topic-names.ts'
import { systemClock } from '../ops/clock.ts'
import type { Act } from '../refresh/publish-plan.ts'
import { followedSlots, type SlotFlags, type TopologySlot } from '../refresh/topology-slots.ts'
import { type Connected, connect, type TopologyFlags } from './connect.ts'
import { createProgress, type Progress } from './progress.ts'

const INTERRUPTED = 130

export interface ModelsFlags extends TopologyFlags, SlotFlags {
  readonly json?: boolean
}

/** Of commands that write. */
export interface ChangeFlags extends ModelsFlags {
  readonly by?: string
  readonly reason?: string
  /** Seconds; true: as long as is usual. */
  readonly wait?: number | true
}

/** What every command about models works with. */
export interface ModelsSession extends Connected {
  /** As the person wrote it, for messages. */
  readonly module: string
  readonly slots: readonly TopologySlot[]
  readonly metadataTopic: string
  readonly statusTopic: string
  readonly progress: Progress
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal
}

/**
 * Connects, lets `work` do what the command does, and closes everything. Ctrl-C ends it with exit code 130. Rejects TOPIC_MISSING where
 * the topics of models do not exist.
 */
export async function withModels(
  module: string,
  flags: ModelsFlags,
  work: (session: ModelsSession) => Promise<void>,
): Promise<void> {
  const interrupted = new AbortController()
  const interrupt = () => interrupted.abort()
  // Timers of ours do not keep the process alive, and a cluster that does not answer has nothing else.
  const alive = setInterval(() => {}, 60_000)
  const progress = createProgress()
  let connected: Connected | undefined
  try {
    connected = await connect(module, flags)
    process.on('SIGINT', interrupt).on('SIGTERM', interrupt)
    const { topology } = connected
    const { applicationId } = topology
    const slots = followedSlots(topology, flags.step, module)
    const session: ModelsSession = {
      ...connected,
      ...{ module, progress, slots, signal: interrupted.signal },
      ...{ metadataTopic: modelMetadataTopic(applicationId), statusTopic: modelStatusTopic(applicationId) },
    }
    await unlessInterrupted(interrupted.signal, requireTopics(session))
    await work(session)
  } catch (error) {
    // What is under way when Ctrl-C comes says that it was ended.
    if (!interrupted.signal.aborted) throw error
  } finally {
    clearInterval(alive)
    progress.clear()
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
    await connected?.close()
    if (interrupted.signal.aborted) process.exitCode = INTERRUPTED
  }
}

/** The search for a broker that does not answer knows no signal: it ends with the connections. */
export function unlessInterrupted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const abort = () => reject(new RunInferenceError('CLOSED', 'interrupted'))
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  return Promise.race([work, promise]).finally(() => signal.removeEventListener('abort', abort))
}

/** Who does it, now. */
export function actOf({ by, reason }: Pick<ChangeFlags, 'by' | 'reason'>): Act {
  const at = new Date(systemClock.wallTime()).toISOString()
  return { by: by ?? personHere(), at, ...(reason === undefined ? {} : { reason }) }
}

async function requireTopics({ port, metadataTopic, statusTopic, module }: ModelsSession): Promise<void> {
  const wanted = [metadataTopic, statusTopic]
  const there = (await port.admin.describeTopics(wanted)).map(({ name }) => name)
  const missing = wanted.filter(name => !there.includes(name))
  if (missing.length === 0) return
  const what = `${missing.join(' and ')} ${missing.length === 1 ? 'does' : 'do'} not exist`
  throw new RunInferenceError('TOPIC_MISSING', `${what}. Put it right: kri topics apply ${module}`)
}

function personHere(): string {
  try {
    return `${userInfo().username}@${hostname()}`
  } catch {
    // In a container the user may have no name.
    return `uid ${process.getuid?.() ?? '?'}@${hostname()}`
  }
}
