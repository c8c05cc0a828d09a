/** Random states of slots, for property tests. */
import fc from 'fast-check'
import type { Candidate, ModelMetadata, StepModels } from '../../src/refresh/step-models.ts'

const text = () => fc.string({ unit: 'grapheme', maxLength: 12 })
const sha256 = () => fc.constantFrom('a', '0', 'f').map(digit => digit.repeat(64))

/** Few of them, so that the same one comes again. */
export function anyModel(): fc.Arbitrary<ModelMetadata> {
  return fc.record(
    {
      modelId: fc.oneof(fc.constantFrom('', 'v1', 'v2', 's3://models/v3.onnx'), text()),
      modelName: text(),
      sha256: sha256(),
      sizeBytes: fc.nat(),
    },
    { requiredKeys: ['modelId', 'modelName'], noNullPrototype: true },
  )
}

export function anyCandidate(): fc.Arbitrary<Candidate> {
  const factor = () => fc.double({ min: 0.01, max: 1e6, noNaN: true })
  return fc.record(
    {
      model: anyModel(),
      mode: fc.constantFrom('canary', 'shadow'),
      percent: fc.double({ min: 0.01, max: 100, noNaN: true }),
      salt: text(),
      abortIf: fc.record(
        { failureFactor: factor(), latencyFactor: factor(), minRecords: fc.integer({ min: 1 }) },
        { noNullPrototype: true },
      ),
    },
    { requiredKeys: ['model', 'mode', 'percent', 'salt'], noNullPrototype: true },
  )
}

/** As anybody may have written it: also with one model twice in a row. */
export function anyState(): fc.Arbitrary<StepModels> {
  return fc.record(
    {
      revision: fc.integer({ min: 1 }),
      stable: anyModel(),
      candidate: anyCandidate(),
      previous: fc.array(anyModel(), { maxLength: 5 }),
      publishedBy: text(),
      publishedAt: fc
        .date({ noInvalidDate: true, min: new Date(0), max: new Date('2100-01-01') })
        .map(at => at.toISOString()),
      reason: text(),
    },
    {
      requiredKeys: ['revision', 'stable', 'previous', 'publishedBy', 'publishedAt'],
      noNullPrototype: true,
    },
  )
}
