import { hostname, userInfo } from 'node:os'
import { RunInferenceError } from '../errors.ts'
import { modelMetadataTopic, modelStatusTopic } from '../kafka/topic-names.ts'
import { systemClock } from '../ops/clock.ts'
import type { Act } from '../refresh/publish-plan.ts'
import { followedSlots, type SlotFlags, type TopologySlot } from '../refresh/topology-slots.ts'
import { type CommandSession, unlessInterrupted, withSession } from './command-session.ts'
import type { TopologyFlags } from './connect.ts'

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
export interface ModelsSession extends CommandSession {
  readonly slots: readonly TopologySlot[]
  readonly metadataTopic: string
  readonly statusTopic: string
}

/** A session for models. Rejects TOPIC_MISSING where their topics do not exist. */
export async function withModels(
  module: string,
  flags: ModelsFlags,
  work: (session: ModelsSession) => Promise<void>,
): Promise<void> {
  await withSession(module, flags, async session => {
    const { applicationId } = session.topology
    const models: ModelsSession = {
      ...session,
      slots: followedSlots(session.topology, flags.step, module),
      ...{ metadataTopic: modelMetadataTopic(applicationId), statusTopic: modelStatusTopic(applicationId) },
    }
    await unlessInterrupted(session.signal, requireTopics(models))
    await work(models)
  })
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
