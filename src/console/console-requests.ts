/** Reads what is asked of the console. Throws SETTINGS_INVALID with all that is wrong, in the words of the request. */
import { JsonFields, optional } from '../json-fields.ts'
import type { PublishRequest, ReplayRequest, SelectionQuery, SlotRequest } from './console-api.ts'

/** Conditions that may be repeated, and those that may not. */
const MANY = [
  ...(['stage', 'step', 'index', 'code', 'fingerprint', 'key', 'header', 'model', 'original', 'letter'] as const),
]
const ONE = ['text', 'since', 'until', 'minReplays', 'maxReplays'] as const satisfies readonly (keyof SelectionQuery)[]
const SELECTION: readonly string[] = [...MANY, ...ONE, 'open']
const MAX_VALUES = 100
const MAX_CHARS = 2_000
const MAX_LETTERS = 500
const DEFAULT_LETTERS = 50
/** As of `kri dlq replay`: it becomes part of the name of a group and of a transactional id. */
const RUN_NAME = /^[A-Za-z0-9._-]{1,60}$/

/** The conditions among the parameters of an address; `limit` may stand beside them. */
export function selectionQuery(query: URLSearchParams): SelectionQuery {
  const given: Record<string, unknown> = {}
  for (const name of new Set(query.keys())) {
    if (name === 'limit') continue
    const values = query.getAll(name)
    const isMany = (MANY as readonly string[]).includes(name)
    given[name] = isMany || values.length > 1 ? values : values[0]
  }
  if (given.open === 'true' || given.open === 'false') given.open = given.open === 'true'
  const fields = fieldsOf('the parameters')
  return fields.done(readSelectionQuery(fields, '', given))
}

/** 1 to 500; 50 where nothing is said. */
export function limitOf(query: URLSearchParams): number {
  const text = query.get('limit')
  if (text === null) return DEFAULT_LETTERS
  const fields = fieldsOf('the parameters')
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : text
  return fields.done(
    fields.number('limit', limit, `a whole number from 1 to ${MAX_LETTERS}`, n => n >= 1 && n <= MAX_LETTERS),
  )
}

/** `topic/partition/offset`. */
export function placeOfQuery(query: URLSearchParams): string {
  const fields = fieldsOf('the parameters')
  return fields.done(fields.matching('place', query.get('place'), 'topic/partition/offset', isPlace))
}

export function replayRequest(body: unknown): ReplayRequest {
  return read(body, ['selection', 'name', 'reason', 'rate', 'limit', 'maxReplays', 'yes'], (fields, of) => ({
    selection: readSelectionQuery(fields, 'selection', of.selection),
    ...optional('name', of.name, given => runName(fields, given)),
    ...optional('reason', of.reason, given => words(fields, 'reason', given)),
    ...optional('rate', of.rate, given => fields.whole('rate', given, 1)),
    ...optional('limit', of.limit, given => fields.whole('limit', given, 1)),
    ...optional('maxReplays', of.maxReplays, given => fields.whole('maxReplays', given, 0)),
    ...optional('yes', of.yes, given => truth(fields, 'yes', given)),
  }))
}

export function replayName(body: unknown): string {
  return read(body, ['name'], (fields, of) => runName(fields, of.name))
}

export function publishRequest(body: unknown): PublishRequest {
  return read(body, ['slot', 'modelId', 'modelName', 'mode', 'percent', 'reason'], (fields, of) => ({
    slot: argument(fields, 'slot', of.slot),
    modelId: argument(fields, 'modelId', of.modelId),
    ...optional('modelName', of.modelName, given => argument(fields, 'modelName', given)),
    ...optional('mode', of.mode, given => fields.oneOf('mode', given, ['canary', 'shadow'] as const)),
    ...optional('percent', of.percent, given =>
      fields.number('percent', given, 'a number from 0.01 to 100', n => n >= 0.01 && n <= 100),
    ),
    ...optional('reason', of.reason, given => argument(fields, 'reason', given)),
  }))
}

export function slotRequest(body: unknown): SlotRequest {
  return read(body, ['slot', 'reason'], (fields, of) => ({
    slot: argument(fields, 'slot', of.slot),
    ...optional('reason', of.reason, given => argument(fields, 'reason', given)),
  }))
}

function readSelectionQuery(fields: JsonFields, at: string, value: unknown): SelectionQuery {
  return fields.object(at, value, (name, of) => {
    refuseUnknown(fields, name, of, SELECTION)
    const texts = (field: (typeof MANY)[number]) =>
      optional(field, of[field], given =>
        fields.list(name(field), given, (each, text) => words(fields, each, text), MAX_VALUES),
      )
    const text = (field: (typeof ONE)[number]) => optional(field, of[field], given => words(fields, name(field), given))
    return Object.assign(
      {},
      ...MANY.map(texts),
      ...ONE.map(text),
      optional('open', of.open, given => truth(fields, name('open'), given)),
    ) as SelectionQuery
  })
}

type Named = Readonly<Record<string, unknown>>

function read<T>(body: unknown, known: readonly string[], of: (fields: JsonFields, given: Named) => T): T {
  const fields = fieldsOf('the request')
  return fields.done(
    fields.object('', body, (name, given) => {
      refuseUnknown(fields, name, given, known)
      return of(fields, given)
    }),
  )
}

/** What nothing reads is a mistake: of a condition that is left out more would be selected. */
function refuseUnknown(fields: JsonFields, name: (field: string) => string, of: Named, known: readonly string[]): void {
  for (const own of Object.keys(of)) if (!known.includes(own)) fields.wrong(name(own), known.join(', '), of[own])
}

function words(fields: JsonFields, at: string, value: unknown): string {
  const expected = `a text of at most ${MAX_CHARS} characters`
  return fields.matching(at, value, expected, text => text.length <= MAX_CHARS && text.isWellFormed())
}

/** Becomes an argument of a command, which NUL would end. */
function argument(fields: JsonFields, at: string, value: unknown): string {
  const text = words(fields, at, value)
  return fields.matching(at, text, 'a text without NUL', each => !each.includes('\0'))
}

function runName(fields: JsonFields, value: unknown): string {
  return fields.matching('name', value, 'at most 60 letters, digits, ".", "_" and "-"', text => RUN_NAME.test(text))
}

function truth(fields: JsonFields, at: string, value: unknown): boolean {
  return typeof value === 'boolean' ? value : fields.wrong(at, 'true or false', value)
}

function isPlace(text: string): boolean {
  return /^[\w.-]{1,249}\/\d{1,9}\/\d{1,15}$/.test(text)
}

function fieldsOf(where: string): JsonFields {
  return new JsonFields({
    where,
    kind: 'object',
    code: 'SETTINGS_INVALID',
    head: 'What was asked of the console cannot be used.',
    remedy: 'docs/console.md has what it takes',
  })
}
