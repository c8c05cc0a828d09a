/** The state of a slot as the value of its record: JSON in UTF-8. */
import { JsonFields, optional } from '../json-fields.ts'
import { type AbortRule, type Candidate, MAX_PREVIOUS, type ModelMetadata, type StepModels } from './step-models.ts'

/**
 * Reads a value; fields that are not known are left out. `where`: the record, for messages. Throws METADATA_INVALID with every
 * field that is wrong.
 */
export function parseStepModels(value: Buffer, where: string): StepModels {
  const fields = fieldsOf(where)
  return checkStepModels(fields.parse(value), fields)
}

/** Throws METADATA_INVALID for a state that could not be read back. */
export function encodeStepModels(state: StepModels): Buffer {
  return Buffer.from(JSON.stringify(checkStepModels(state, fieldsOf('the state to be published'))))
}

const REMEDY = 'Publish the model anew: the next record under its key replaces this one'

function fieldsOf(where: string): JsonFields {
  return new JsonFields({
    ...{ where, kind: 'state of a step', code: 'METADATA_INVALID', remedy: REMEDY },
    head: 'Model metadata cannot be used.',
  })
}

function checkStepModels(value: unknown, fields: JsonFields): StepModels {
  const state = fields.object('', value, (name, of) => ({
    revision: fields.whole(name('revision'), of.revision, 1),
    stable: model(fields, name('stable'), of.stable),
    ...optional('candidate', of.candidate, given => candidate(fields, name('candidate'), given)),
    previous: fields.list(name('previous'), of.previous, (at, each) => model(fields, at, each), MAX_PREVIOUS),
    publishedBy: fields.text(name('publishedBy'), of.publishedBy),
    publishedAt: fields.matching(name('publishedAt'), of.publishedAt, 'a time as ISO 8601', isTime),
    ...optional('reason', of.reason, given => fields.text(name('reason'), given)),
  }))
  return fields.done(state)
}

function model(fields: JsonFields, at: string, value: unknown): ModelMetadata {
  return fields.object(at, value, (name, of) => ({
    modelId: fields.text(name('modelId'), of.modelId),
    modelName: fields.text(name('modelName'), of.modelName),
    ...optional('sha256', of.sha256, given =>
      fields.matching(name('sha256'), given, '64 lower-case hex digits', text => SHA256.test(text)),
    ),
    ...optional('sizeBytes', of.sizeBytes, given => fields.whole(name('sizeBytes'), given, 0)),
  }))
}

function candidate(fields: JsonFields, at: string, value: unknown): Candidate {
  return fields.object(at, value, (name, of) => ({
    model: model(fields, name('model'), of.model),
    mode: fields.matching(name('mode'), of.mode, '"canary" or "shadow"', isMode) as Candidate['mode'],
    percent: fields.number(name('percent'), of.percent, 'a number from 0.01 to 100', n => n >= 0.01 && n <= 100),
    salt: fields.text(name('salt'), of.salt),
    ...optional('abortIf', of.abortIf, given => abortRule(fields, name('abortIf'), given)),
  }))
}

function abortRule(fields: JsonFields, at: string, value: unknown): AbortRule {
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
