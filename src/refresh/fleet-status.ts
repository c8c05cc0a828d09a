/**
 * What the whole fleet runs: what instances have written, joined with the members that their groups have now. Records of
 * instances that ended without a goodbye stay in the topic, and do not count.
 */
import { RunInferenceError } from '../errors.ts'
import type { KafkaPort } from '../kafka/port.ts'
import type { RecordBlock } from '../kafka/record-block.ts'
import { type InstanceStatus, parseStatus, type SlotStatus } from './status-record.ts'
import type { StepModels } from './step-models.ts'

/** What is in the status topic by now. */
export interface StatusSnapshot {
  /** By id, in its order. */
  readonly instances: readonly InstanceStatus[]
  /** By the key of their records: those that cannot be read. */
  readonly problems: ReadonlyMap<string, string>
}

/** What is published for a slot now. */
export interface Published {
  /** Of its record. */
  readonly offset: number
  /** Undefined: a tombstone. */
  readonly state: StepModels | undefined
}

/** How far an instance is with what is published: `behind` = it has not read it yet. */
export type Progress = 'current' | 'ready' | 'loading' | 'failed' | 'behind'

export interface InstanceSlot {
  readonly instance: string
  readonly status: SlotStatus
  readonly progress: Progress
}

export interface SlotFleet {
  readonly slot: string
  /** Undefined: nothing was ever published for it. */
  readonly published: Published | undefined
  readonly instances: readonly InstanceSlot[]
}

export interface Fleet {
  /** Members of the groups now. */
  readonly members: number
  /** Members that have written nothing yet: they may be starting, or have no step with model metadata. */
  readonly silent: readonly string[]
  /** Instances that are waiting for a model, and so are members of no group yet. */
  readonly waiting: readonly InstanceStatus[]
  /** Instances whose members are gone: they ended without a goodbye. */
  readonly gone: readonly string[]
  readonly slots: readonly SlotFleet[]
  /** By slot: published, and used by no instance, with what they say of it. */
  readonly ignored: ReadonlyMap<string, string>
}

/** How long the last record of an instance counts that nobody else speaks for: three times the reporter's period. */
export const FRESH_MS = 90_000

/** What the records of a status topic come to, one behind the other. */
export class StatusTable {
  readonly #instances = new Map<string, InstanceStatus>()
  readonly #problems = new Map<string, string>()
  #nextOffset: number | 'earliest' = 'earliest'

  /** Reads on to what is the end now. Rejects as `KafkaPort.scan`. */
  async readOn(port: Pick<KafkaPort, 'scan'>, topic: string, signal?: AbortSignal): Promise<void> {
    const range = { topic, partition: 0, from: this.#nextOffset, to: 'end' } as const
    for await (const block of port.scan([range], signal ? { signal } : {})) {
      for (let i = 0; i < block.count; i++) this.#read(block, i)
      this.#nextOffset = block.nextOffset
    }
  }

  snapshot(): StatusSnapshot {
    const byId = ([a]: [string, unknown], [b]: [string, unknown]) => (a < b ? -1 : 1)
    return {
      instances: [...this.#instances].sort(byId).map(([, status]) => status),
      problems: new Map(this.#problems),
    }
  }

  #read(block: RecordBlock, i: number): void {
    const key = block.key(i)?.toString() ?? ''
    const value = block.value(i)
    this.#instances.delete(key)
    this.#problems.delete(key)
    if (value === null) return
    try {
      this.#instances.set(key, parseStatus(value, `record ${block.topic}/0/${block.offset(i)}`))
    } catch (error) {
      // The others count; this one is shown with its reason.
      if (!(error instanceof RunInferenceError)) throw error
      this.#problems.set(key, error.message)
    }
  }
}

/** Reads the topic to its end. Rejects as `KafkaPort.scan`. */
export async function readStatus(
  port: Pick<KafkaPort, 'scan'>,
  topic: string,
  signal?: AbortSignal,
): Promise<StatusSnapshot> {
  const table = new StatusTable()
  await table.readOn(port, topic, signal)
  return table.snapshot()
}

/** `memberIds`: of all groups of the application now. `published`: by slot. `nowMs`: wall time. */
export function fleetOf(
  instances: readonly InstanceStatus[],
  memberIds: readonly string[],
  published: ReadonlyMap<string, Published>,
  nowMs: number,
): Fleet {
  const members = new Set(memberIds)
  const alive = instances.filter(instance => instance.memberIds.some(id => members.has(id)))
  const others = instances.filter(instance => !alive.includes(instance))
  const isStarting = ({ memberIds: ids, writtenAt }: InstanceStatus) =>
    ids.length === 0 && nowMs - Date.parse(writtenAt) <= FRESH_MS
  const known = new Set(alive.flatMap(instance => instance.memberIds))
  const names = new Set([...published.keys(), ...alive.flatMap(({ slots }) => slots.map(({ slot }) => slot))])
  const slots = [...names].map(slot => slotFleet(slot, published.get(slot), alive)).filter(isUsed)
  return {
    members: members.size,
    silent: [...members].filter(id => !known.has(id)),
    waiting: others.filter(isStarting),
    gone: others.filter(instance => !isStarting(instance)).map(({ instance }) => instance),
    slots,
    ignored: new Map(alive.flatMap(({ ignored }) => Object.entries(ignored))),
  }
}

/** True when every member that has the slot runs what is published, a model on trial too, and there is one. */
export function isCurrent({ instances }: SlotFleet): boolean {
  const isTried = ({ candidate }: SlotStatus) => candidate === undefined || candidate.state === 'current'
  return instances.length > 0 && instances.every(({ progress, status }) => progress === 'current' && isTried(status))
}

function slotFleet(slot: string, published: Published | undefined, alive: readonly InstanceStatus[]): SlotFleet {
  const instances = alive.flatMap(({ instance, slots }): InstanceSlot[] => {
    const status = slots.find(each => each.slot === slot)
    return status === undefined ? [] : [{ instance, status, progress: progressOf(status, published) }]
  })
  return { slot, published, instances }
}

/** Offsets tell, not revisions: these begin anew behind a tombstone, which compaction removes in time. */
function progressOf({ metadataOffset, revision, state }: SlotStatus, published: Published | undefined): Progress {
  const hasReadIt = metadataOffset >= (published?.offset ?? -1)
  return hasReadIt && (published?.state !== undefined || revision === 0) ? state : 'behind'
}

/** What no instance has a status of is in `ignored`, or nobody runs. */
function isUsed({ instances, published }: SlotFleet): boolean {
  return instances.length > 0 || published?.state !== undefined
}
