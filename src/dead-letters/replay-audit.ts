/**
 * What a replay writes of itself, to a topic that keeps it: JSON in UTF-8, one record for each thing that happened, the key is
 * the run's name. A run goes on by what its first record says, whoever takes it up again.
 */
import { JsonFields, optional } from '../json-fields.ts'
import type { Selection } from './selection.ts'
import { readSelection } from './selection-codec.ts'

/** Where records go. `replay`: to the private replay topics of the application. `source`: to the topics that they were first read from. */
export type ReplayTarget = { readonly kind: 'replay' | 'source' } | { readonly kind: 'topic'; readonly topic: string }

/** By dead-letter topic and partition. */
export type LetterOffsets = Readonly<Record<string, readonly number[]>>

/** What is the same for the whole of a run. */
export interface ReplayOrder {
  readonly selection: Selection
  /** Where the run ends: the offsets behind its last letters. */
  readonly bounds: LetterOffsets
  readonly target: ReplayTarget
  /** Letters that were replayed so often are parked. */
  readonly maxReplays: number
  readonly guarantee: 'at_least_once' | 'exactly_once'
  /** In place of headers of these names, or besides; null takes a header away. */
  readonly setHeaders: Readonly<Record<string, string | null>>
}

/** Letters, counted by what became of them. */
export interface ReplayCounts {
  readonly replayed: number
  readonly parked: number
  /** Left where they are: no topic of the topology to go to, a value that is not to be had any more, or refused by the broker. */
  readonly lost: number
}

interface AuditBase {
  readonly run: string
  readonly by: string
  /** ISO 8601. */
  readonly at: string
  readonly reason?: string
}

/**
 * `stopped`: before its end; it may be taken up again. `cancelled`: for good. `positions`: up to where letters were looked at, which is what
 * the run's group has committed. Brokers forget what a group without members has committed (`offsets.retention.minutes`), and what
 * is not known to be handled counts as open: so whoever writes that a run was stopped or cancelled says it.
 */
export type AuditRecord =
  | (AuditBase & { readonly kind: 'started' | 'resumed'; readonly order: ReplayOrder })
  | (AuditBase & {
      readonly kind: 'finished' | 'stopped' | 'cancelled'
      readonly counts: ReplayCounts
      readonly positions?: LetterOffsets
    })

const STARTS = ['started', 'resumed'] as const
const ENDS = ['finished', 'stopped', 'cancelled'] as const
/** It is part of names of a group and of a transactional id. */
const RUN_NAME = /^[A-Za-z0-9._-]{1,100}$/

const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d/

function isTime(text: string): boolean {
  return ISO_TIME.test(text) && !Number.isNaN(Date.parse(text))
}

export function isRunName(text: string): boolean {
  return RUN_NAME.test(text)
}

export function encodeAudit(record: AuditRecord): Buffer {
  return Buffer.from(JSON.stringify(record))
}

/** `where`: the record, for messages. Throws AUDIT_INVALID with every field that is wrong. */
export function parseAudit(value: Buffer, where: string): AuditRecord {
  const fields = new JsonFields({
    ...{ where, kind: 'audit of a replay', code: 'AUDIT_INVALID', head: 'The audit of a replay cannot be read.' },
    remedy: 'Start a run of another name: this one cannot be told any more',
  })
  const record = fields.object('', fields.parse(value), (name, of): AuditRecord => {
    const base = {
      run: fields.matching(name('run'), of.run, 'the name of a run', isRunName),
      by: fields.text(name('by'), of.by),
      at: fields.matching(name('at'), of.at, 'a time as ISO 8601', isTime),
      ...optional('reason', of.reason, given => fields.text(name('reason'), given)),
    }
    const kind = fields.oneOf(name('kind'), of.kind, [...STARTS, ...ENDS])
    if (isStart(kind)) return { ...base, kind, order: order(fields, name('order'), of.order) }
    return {
      ...{ ...base, kind, counts: counts(fields, name('counts'), of.counts) },
      ...optional('positions', of.positions, given => letterOffsets(fields, name('positions'), given)),
    }
  })
  return fields.done(record)
}

function isStart(kind: string): kind is (typeof STARTS)[number] {
  return (STARTS as readonly string[]).includes(kind)
}

function order(fields: JsonFields, at: string, value: unknown): ReplayOrder {
  return fields.object(at, value, (name, of) => ({
    selection: readSelection(fields, name('selection'), of.selection),
    bounds: letterOffsets(fields, name('bounds'), of.bounds),
    target: target(fields, name('target'), of.target),
    maxReplays: fields.whole(name('maxReplays'), of.maxReplays, 0),
    guarantee: fields.oneOf(name('guarantee'), of.guarantee, ['at_least_once', 'exactly_once']),
    setHeaders: fields.values(name('setHeaders'), of.setHeaders, (each, text) =>
      text === null ? null : fields.text(each, text),
    ),
  }))
}

function letterOffsets(fields: JsonFields, at: string, value: unknown): LetterOffsets {
  return fields.values(at, value, (of, offsets) =>
    fields.list(of, offsets, (each, offset) => fields.whole(each, offset, 0)),
  )
}

function target(fields: JsonFields, at: string, value: unknown): ReplayTarget {
  return fields.object(at, value, (name, of) => {
    const kind = fields.oneOf(name('kind'), of.kind, ['replay', 'source', 'topic'])
    return kind === 'topic' ? { kind, topic: fields.text(name('topic'), of.topic) } : { kind }
  })
}

function counts(fields: JsonFields, at: string, value: unknown): ReplayCounts {
  return fields.object(at, value, (name, of) => ({
    replayed: fields.whole(name('replayed'), of.replayed, 0),
    parked: fields.whole(name('parked'), of.parked, 0),
    lost: fields.whole(name('lost'), of.lost, 0),
  }))
}
