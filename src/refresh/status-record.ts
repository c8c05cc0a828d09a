/** What an instance says of itself, above all of its models: the value of its record in the status topic, JSON in UTF-8; the key is its id. */
import { parseJson } from '../kafka/json-text.ts'
import { readUtf8 } from '../kafka/utf8-text.ts'
import type { InstanceStats } from './instance-stats.ts'
import { parseStats, type StatsRecord, statsRecord } from './stats-record.ts'
import { type Fields, StatusFields } from './status-fields.ts'

/**
 * What became of the newest record of a slot in an instance. `loading`: also while an outage is waited out, with its reason.
 * `ready`: loaded and warm, and the instance has not joined its group yet. `failed`: for good, until another record comes.
 */
export type RefreshState = 'loading' | 'ready' | 'current' | 'failed'
const STATES: readonly string[] = ['loading', 'ready', 'current', 'failed'] satisfies RefreshState[]

/** One model of a slot in one instance. */
export interface ModelStatus {
  /** Of the newest record that the instance has read; 0: there is none, or a tombstone, which asks for the handler's own model. */
  readonly revision: number
  /** Where that record is in the metadata topic; −1: there is none. */
  readonly metadataOffset: number
  /** What became of it. */
  readonly state: RefreshState
  /** Why it is not `current`. */
  readonly reason?: string
  /** What predictions are labelled with now, whatever the state is; undefined: nothing serves yet. */
  readonly modelId?: string
  /** Of the bytes that serve now; undefined where nothing is loaded yet. */
  readonly sha256?: string
  /** Since when the state is what it is, ISO 8601. */
  readonly since: string
  /**
   * By `topic/partition`, where reading stood when the model took over: records from there on are its own. Of what was read
   * before and had not left yet, the last ones are too.
   */
  readonly positions: Readonly<Record<string, number>>
}

export interface SlotStatus extends ModelStatus {
  /** The key of its metadata: a step, or a step and a model key. */
  readonly slot: string
  /** Of the model on trial; undefined where there is none. */
  readonly candidate?: ModelStatus
}

export interface InstanceStatus {
  readonly instance: string
  /** Its ids in its consumer groups, once it has joined. */
  readonly memberIds: readonly string[]
  readonly slots: readonly SlotStatus[]
  /** Records of the metadata topic that it cannot use, by slot, with the reason. */
  readonly ignored: Readonly<Record<string, string>>
  /** When this was written, ISO 8601. */
  readonly writtenAt: string
  /** What it did lately; undefined: not known yet, or an earlier version wrote it. */
  readonly stats?: InstanceStats
}

export function encodeStatus({ stats, ...status }: InstanceStatus): Buffer {
  const value: Omit<InstanceStatus, 'stats'> & { stats?: StatsRecord } = status
  return Buffer.from(JSON.stringify(stats === undefined ? value : { ...value, stats: statsRecord(stats) }))
}

/** Reads a value; fields that are not known are left out. `where`: the record, for messages. Throws METADATA_INVALID with the first field that is wrong. */
export function parseStatus(value: Buffer, where: string): InstanceStatus {
  const of = new StatusFields(where)
  const given = of.record('the value', jsonOf(value, where))
  return {
    instance: of.text('instance', given.instance),
    memberIds: of.list('memberIds', given.memberIds).map((id, i) => of.text(`memberIds[${i}]`, id)),
    slots: of.list('slots', given.slots).map((slot, i) => slotStatus(of, `slots[${i}]`, slot)),
    ignored: of.values('ignored', given.ignored, (name, reason) => of.text(name, reason)),
    writtenAt: of.text('writtenAt', given.writtenAt),
    ...(given.stats === undefined ? {} : { stats: parseStats(of, 'stats', given.stats) }),
  }
}

function slotStatus(of: StatusFields, at: string, value: unknown): SlotStatus {
  const given = of.record(at, value)
  return {
    slot: of.text(`${at}.slot`, given.slot),
    ...modelStatus(of, at, given),
    ...(given.candidate === undefined
      ? {}
      : { candidate: modelStatus(of, `${at}.candidate`, of.record(`${at}.candidate`, given.candidate)) }),
  }
}

function modelStatus(of: StatusFields, at: string, given: Fields): ModelStatus {
  const state = of.text(`${at}.state`, given.state)
  if (!STATES.includes(state)) throw of.wrong(`${at}.state`, `one of ${STATES.join(', ')}`, state)
  return {
    revision: of.whole(`${at}.revision`, given.revision, 0),
    metadataOffset: of.whole(`${at}.metadataOffset`, given.metadataOffset, -1),
    state: state as RefreshState,
    ...optional('reason', of.optionalText(`${at}.reason`, given.reason)),
    ...optional('modelId', of.optionalText(`${at}.modelId`, given.modelId)),
    ...optional('sha256', of.optionalText(`${at}.sha256`, given.sha256)),
    since: of.text(`${at}.since`, given.since),
    positions: of.values(`${at}.positions`, given.positions, (name, offset) => of.whole(name, offset, 0)),
  }
}

function optional<N extends string>(name: N, value: string | undefined): { [K in N]?: string } {
  return value === undefined ? {} : ({ [name]: value } as { [K in N]?: string })
}

function jsonOf(value: Buffer, where: string): unknown {
  const text = readUtf8(value, 0, value.length)
  try {
    if (text !== undefined) return parseJson(text)
  } catch (error) {
    throw new StatusFields(where).wrong('the value', 'JSON', (error as Error).message)
  }
  throw new StatusFields(where).wrong('the value', 'UTF-8', 'other bytes')
}
