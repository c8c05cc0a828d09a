/** What is published about the models of a step, as records of its topic: the text of a slot, a line break, the value of its state. */
import { isDeepStrictEqual } from 'node:util'
import { RunInferenceError } from '../../src/errors.ts'
import { parseSlot, slotText } from '../../src/refresh/slot.ts'
import { published } from '../../src/refresh/state-changes.ts'
import { encodeStepModels, parseStepModels } from '../../src/refresh/state-codec.ts'
import type { StepModels } from '../../src/refresh/step-models.ts'
import { must, type Target, type TargetSource } from '../target.ts'

function run(bytes: Buffer): void {
  const end = bytes.indexOf('\n')
  const key = bytes.toString('utf8', 0, Math.max(end, 0))
  const slot = orRefused(() => parseSlot(key))
  if (slot !== undefined) must(slotText(slot.step, slot.modelKey) === key, 'a slot has one text')
  const state = parseStepModels(bytes.subarray(end + 1), 'it')
  must(isDeepStrictEqual(parseStepModels(encodeStepModels(state), 'it'), state), 'a state is read as it was written')
  if (state.revision < Number.MAX_SAFE_INTEGER) change(state)
}

function change(state: StepModels): void {
  const next = published(state, { modelId: 'new', modelName: 'm' }, 'p', state.publishedAt)
  must(next.revision === state.revision + 1 && next.previous.length <= 5, 'a state has a next one')
  must(isDeepStrictEqual(parseStepModels(encodeStepModels(next), 'it'), next), 'the next state can be read')
}

function orRefused<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof RunInferenceError && error.code === 'METADATA_INVALID') return undefined
    throw error
  }
}

const SHA = 'a0'.repeat(32)
const STABLE = `"stable":{"modelId":"v2","modelName":"m","sha256":"${SHA}","sizeBytes":10}`
const BY = '"publishedBy":"p","publishedAt":"2026-01-02T03:04:05Z"'
const CANDIDATE =
  '"candidate":{"model":{"modelId":"v3","modelName":"m"},"mode":"canary","percent":10,"salt":"s",' +
  '"abortIf":{"failureFactor":2,"latencyFactor":1.5,"minRecords":100}}'

export const modelMetadata: TargetSource = {
  name: 'model-metadata',
  about: 'what is published about the models of a step',
  short: 4_000,
  open: (): Target => ({
    seeds: [
      `infer\n{"revision":3,${STABLE},"previous":[{"modelId":"","modelName":""}],${BY}}`,
      `infer/"de"\n{"revision":1,${STABLE},${CANDIDATE},"previous":[],${BY},"reason":"why"}`,
      `infer/7n\n{"revision":1,${STABLE},"previous":[],${BY},"later":{"a":[1]}}`,
      `infer/true\n{"revision":9007199254740991,${STABLE},"previous":[],${BY}}`,
    ].map(text => Buffer.from(text)),
    tokens: [
      ...[
        '"modelId":"',
        '"revision":',
        '"candidate":{',
        '"percent":',
        '"shadow"',
        '"sha256":"',
        '"__proto__":',
        '"previous":[',
      ],
      ...['infer/', '/true', '/-0', '/1e2', '],', '{}', 'null', '1e308', '\\ud800', '\n'],
    ].map(token => Buffer.from(token)),
    codes: ['METADATA_INVALID'],
    run,
  }),
}
