/** The state of a slot as the value of its record: JSON in UTF-8. */
import type { RunInferenceError } from '../errors.ts'
import { parseJson } from '../kafka/json-text.ts'
import { readUtf8 } from '../kafka/utf8-text.ts'
import { type Problem, problemsError, show } from '../problem.ts'
import { type AbortRule, type Candidate, MAX_PREVIOUS, type ModelMetadata, type StepModels } from './step-models.ts'

/**
 * Reads a value; fields that are not known are left out. `where`: the record, for messages. Throws METADATA_INVALID with every
 * field that is wrong.
 */
export function parseStepModels(value: Buffer, where: string): StepModels {
  return checkStepModels(jsonOf(value, where), where)
}

/** Throws METADATA_INVALID for a state that could not be read back. */
export function encodeStepModels(state: StepModels): Buffer {
  return Buffer.from(JSON.stringify(checkStepModels(state, 'the state to be published')))
}

function jsonOf(value: Buffer, where: string): unknown {
  const text = readUtf8(value, 0, value.length)
  if (text === undefined) throw unreadable(where, 'bytes that are not UTF-8')
  try {
    return parseJson(text)
  } catch (error) {
    throw unreadable(where, (error as Error).message)
  }
}

function unreadable(where: string, got: string): RunInferenceError {
  const problem = { where, what: 'the value is not JSON', expected: 'the state of a step', got, remedy: REMEDY }
  return problemsError('METADATA_INVALID', 'Model metadata cannot be read.', [problem])
}

const REMEDY = 'Publish the model anew: the next record under its key replaces this one'

function checkStepModels(value: unknown, where: string): StepModels {
  const fields = new Fields(where)
  const state = fields.object('', value, (name, of) => ({
    revision: fields.whole(name('revision'), of.revision, 1),
    stable: model(fields, name('stable'), of.stable),
    ...optional('candidate', of.candidate, given => candidate(fields, name('candidate'), given)),
    previous: fields.list(name('previous'), of.previous, MAX_PREVIOUS, (at, each) => model(fields, at, each)),
    publishedBy: fields.text(name('publishedBy'), of.publishedBy),
    publishedAt: fields.matching(name('publishedAt'), of.publishedAt, 'a time as ISO 8601', isTime),
    ...optional('reason', of.reason, given => fields.text(name('reason'), given)),
  }))
  return fields.done(state)
}

function model(fields: Fields, at: string, value: unknown): ModelMetadata {
  return fields.object(at, value, (name, of) => ({
    modelId: fields.text(name('modelId'), of.modelId),
    modelName: fields.text(name('modelName'), of.modelName),
    ...optional('sha256', of.sha256, given =>
      fields.matching(name('sha256'), given, '64 lower-case hex digits', text => SHA256.test(text)),
    ),
    ...optional('sizeBytes', of.sizeBytes, given => fields.whole(name('sizeBytes'), given, 0)),
  }))
}

function candidate(fields: Fields, at: string, value: unknown): Candidate {
  return fields.object(at, value, (name, of) => ({
    model: model(fields, name('model'), of.model),
    mode: fields.matching(name('mode'), of.mode, '"canary" or "shadow"', isMode) as Candidate['mode'],
    percent: fields.number(name('percent'), of.percent, 'a number from 0.01 to 100', n => n >= 0.01 && n <= 100),
    salt: fields.text(name('salt'), of.salt),
    ...optional('abortIf', of.abortIf, given => abortRule(fields, name('abortIf'), given)),
  }))
}

function abortRule(fields: Fields, at: string, value: unknown): AbortRule {
  const factor = (name: string, given: unknown) => fields.number(name, given, 'a number above 0', n => n > 0)
  return fields.object(at, value, (name, of) => ({
    failureFactor: factor(name('failureFactor'), of.failureFactor),
    latencyFactor: factor(name('latencyFactor'), of.latencyFactor),
    minRecords: fields.whole(name('minRecords'), of.minRecords, 1),
  }))
}

const SHA256 = /^[0-9a-f]{64}$/
const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/
const isTime = (text: string) => ISO_TIME.test(text) && !Number.isNaN(Date.parse(text))
const isMode = (text: string) => text === 'canary' || text === 'shadow'

/** Nothing, or one field of this name. */
function optional<N extends string, T>(name: N, given: unknown, read: (given: unknown) => T): { [K in N]?: T } {
  return given === undefined ? {} : ({ [name]: read(given) } as { [K in N]?: T })
}

type Named = Readonly<Record<string, unknown>>

/** Reads fields and keeps what is wrong with them, so that all of it is told at once. What it gives then is never used. */
class Fields {
  readonly #where: string
  readonly #problems: Problem[] = []

  constructor(where: string) {
    this.#where = where
  }

  object<T>(at: string, value: unknown, read: (name: (field: string) => string, of: Named) => T): T {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return this.#wrong(at, 'an object', value)
    return read(field => (at === '' ? field : `${at}.${field}`), value as Named)
  }

  list<T>(at: string, value: unknown, max: number, read: (at: string, value: unknown) => T): readonly T[] {
    if (!Array.isArray(value) || value.length > max) return this.#wrong(at, `a list of at most ${max}`, value)
    return value.map((each, i) => read(`${at}[${i}]`, each))
  }

  /** Text that can be written as UTF-8 and read back. */
  text(at: string, value: unknown): string {
    return this.matching(at, value, 'a text', text => text.isWellFormed())
  }

  matching(at: string, value: unknown, expected: string, holds: (text: string) => boolean): string {
    return typeof value === 'string' && holds(value) ? value : this.#wrong(at, expected, value)
  }

  whole(at: string, value: unknown, min: number): number {
    return this.number(at, value, `a whole number from ${min}`, n => Number.isSafeInteger(n) && n >= min)
  }

  number(at: string, value: unknown, expected: string, holds: (n: number) => boolean): number {
    return typeof value === 'number' && Number.isFinite(value) && holds(value)
      ? value
      : this.#wrong(at, expected, value)
  }

  done<T>(value: T): T {
    if (this.#problems.length === 0) return value
    throw problemsError('METADATA_INVALID', 'Model metadata cannot be used.', this.#problems)
  }

  #wrong<T>(at: string, expected: string, value: unknown): T {
    const what = at === '' ? 'the value is no state of a step' : `field ${at} is wrong`
    this.#problems.push({ where: this.#where, what, expected, got: show(value), remedy: REMEDY })
    return undefined as T
  }
}
