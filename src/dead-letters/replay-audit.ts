/**
 * What a replay writes of itself, to a topic that keeps it: JSON in UTF-8, one record for each thing that happened, the key is
 * the run's name. A run goes on by what its first record says, whoever takes it up again.
 */
import { JsonFields, optional } from '../json-fields.ts'
import type { Selection } from './selection.ts'
import { readSelection } from './selection-codec.ts'

/**
 * Where records go. `replay`: to the private replay topics of the application. `source`: to the topics that they were first read from.
 * `parked`: all of them to the topic that is for people only.
 */
export type ReplayTarget =
  | { readonly kind: 'replay' | 'source' | 'parked' }
  | { readonly kind: 'topic'; readonly topic: string }

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
  /** Of what is selected, only what no run has handled when this one begins, or is taken up again. */
  readonly onlyOpen?: true
  /** Outputs may be compacted: what is computed again may replace what is newer. */
  readonly allowStale?: true
}

/** Letters, counted by what became of them. */
export interface ReplayCounts {
  readonly replayed: number
  readonly parked: number
  /** Left where they are, and open: no topic to go to, a value that is not to be had any more, or refused by the broker. */
  readonly lost: number
}

interface AuditBase {
  readonly run: string
  readonly by: string
  /** ISO 8601. */
  readonly at: string
  readonly reason?: string
}

export interface AuditStart extends AuditBase {
  readonly kind: 'started' | 'resumed'
  readonly order: ReplayOrder
}

/**
 * `stopped`: before its end; it may be taken up again. `cancelled`: for good. `positions`: up to where letters were looked at, which is what
 * the run's group has committed. Brokers forget what a group without members has committed (`offsets.retention.minutes`), and what
 * is not known to be handled counts as open: so whoever writes that a run was stopped or cancelled says it.
 */
export interface AuditEnd extends AuditBase {
  readonly kind: 'finished' | 'stopped' | 'cancelled'
  /** Since the run was started, whoever has run it. */
  readonly counts: ReplayCounts
  readonly positions?: LetterOffsets
  /** Why it was stopped, where nobody asked for it. */
  readonly problem?: string
}

/**
 * Letters that the run has looked at and left where they are, each once, written with the commit of what it has looked at. A span has what
 * the run selects from its first offset up to its second one, which is not part of it. `why`: of the first one.
 */
export interface AuditLost extends AuditBase {
  readonly kind: 'lost'
  readonly count: number
  readonly letters: readonly LostSpans[]
  readonly why: string
}

export interface LostSpans {
  readonly topic: string
  readonly partition: number
  readonly spans: readonly (readonly [from: number, until: number])[]
}

/** One letter was written again as somebody has edited it. The letter itself stays. */
export interface AuditEdit extends AuditBase {
  readonly kind: 'edited'
  readonly letter: LetterPlace
  /** Topic and partition that the edited record was written to. */
  readonly target: Pick<LetterPlace, 'topic' | 'partition'>
  /** What is not as it was: `key`, `value`, `header <name>`. */
  readonly changed: readonly string[]
}

/** Where a dead letter is. */
export interface LetterPlace {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

export type AuditRecord = AuditStart | AuditEnd | AuditEdit | AuditLost

const STARTS = ['started', 'resumed'] as const
const ENDS = ['finished', 'stopped', 'cancelled'] as const
const [EDIT, LOST] = ['edited', 'lost'] as const
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
    const kind = fields.oneOf(name('kind'), of.kind, [...STARTS, ...ENDS, EDIT, LOST])
    if (isStart(kind)) return { ...base, kind, order: order(fields, name('order'), of.order) }
    if (kind === EDIT) return { ...base, kind, ...edit(fields, name, of) }
    if (kind === LOST) return { ...base, kind, ...lost(fields, name, of) }
    return {
      ...{ ...base, kind, counts: counts(fields, name('counts'), of.counts) },
      ...optional('positions', of.positions, given => letterOffsets(fields, name('positions'), given)),
      ...optional('problem', of.problem, given => fields.text(name('problem'), given)),
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
    ...optional('onlyOpen', of.onlyOpen, given => isTrue(fields, name('onlyOpen'), given)),
    ...optional('allowStale', of.allowStale, given => isTrue(fields, name('allowStale'), given)),
  }))
}

function isTrue(fields: JsonFields, at: string, value: unknown): true {
  return value === true ? value : fields.wrong<true>(at, 'true', value)
}

function edit(
  fields: JsonFields,
  name: (field: string) => string,
  of: Readonly<Record<string, unknown>>,
): Pick<AuditEdit, 'letter' | 'target' | 'changed'> {
  const partition = (name: (field: string) => string, of: Readonly<Record<string, unknown>>) => ({
    topic: fields.text(name('topic'), of.topic),
    partition: fields.whole(name('partition'), of.partition, 0),
  })
  return {
    letter: fields.object(name('letter'), of.letter, (name, of) => ({
      ...partition(name, of),
      offset: fields.whole(name('offset'), of.offset, 0),
    })),
    target: fields.object(name('target'), of.target, partition),
    changed: fields.list(name('changed'), of.changed, (each, text) => fields.text(each, text)),
  }
}

function lost(
  fields: JsonFields,
  name: (field: string) => string,
  of: Readonly<Record<string, unknown>>,
): Pick<AuditLost, 'count' | 'letters' | 'why'> {
  const span = (at: string, value: unknown) => {
    const [from = 0, until = 0] = fields.list(at, value, (each, offset) => fields.whole(each, offset, 0), 2) ?? []
    return from < until ? ([from, until] as const) : fields.wrong<readonly [number, number]>(at, 'a span', value)
  }
  return {
    count: fields.whole(name('count'), of.count, 1),
    letters: fields.list(name('letters'), of.letters, (at, value) =>
      fields.object(at, value, (name, of) => ({
        topic: fields.text(name('topic'), of.topic),
        partition: fields.whole(name('partition'), of.partition, 0),
        spans: fields.list(name('spans'), of.spans, span),
      })),
    ),
    why: fields.text(name('why'), of.why),
  }
}

function letterOffsets(fields: JsonFields, at: string, value: unknown): LetterOffsets {
  return fields.values(at, value, (of, offsets) =>
    fields.list(of, offsets, (each, offset) => fields.whole(each, offset, 0)),
  )
}

function target(fields: JsonFields, at: string, value: unknown): ReplayTarget {
  return fields.object(at, value, (name, of) => {
    const kind = fields.oneOf(name('kind'), of.kind, ['replay', 'source', 'parked', 'topic'])
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
