/** What can be wrong with how a step forms its batches. */
import type { AdaptiveOptions, BatchOptions, LengthBuckets } from './graph.ts'
import type { HandlerModel, OnnxModel } from './models/model-handler.ts'
import { badValue, isWhole, type Problem, unknownNames } from './problem.ts'

const BATCH_OPTIONS: Readonly<Record<keyof BatchOptions, true>> = {
  mode: true,
  minSize: true,
  maxSize: true,
  maxWaitMs: true,
  maxBytes: true,
  sizeOf: true,
  maxTotalSize: true,
  bucketBy: true,
  adaptive: true,
}
const LENGTH_OPTIONS: Readonly<Record<keyof LengthBuckets, true>> = { lengthOf: true, boundaries: true }
const ADAPTIVE_OPTIONS: Readonly<Record<keyof AdaptiveOptions, true>> = {
  minSize: true,
  targetBatchOverhead: true,
  targetBatchDurationMs: true,
  targetBatchDurationIncludingFixedCostMs: true,
  variance: true,
}

/** `maxRows`: rows in flight are capped at this, so no batch can be larger. */
export function batchProblems(
  at: string,
  batch: BatchOptions<never>,
  models: readonly HandlerModel[],
  maxRows: number,
): Problem[] {
  const onnx = models.filter(model => model.kind === 'onnx')
  return [
    ...unknownNames(at, 'batch option', batch, Object.keys(BATCH_OPTIONS)),
    ...sizeProblems(at, batch, maxRows),
    ...holdProblems(at, batch),
    ...weightProblems(at, batch),
    ...bucketProblems(at, batch, onnx.length === models.length && onnx.every(model => model.padding)),
    ...adaptiveProblems(at, batch),
    ...onnx.flatMap(model => paddingProblems(at, model)),
  ]
}

function sizeProblems(at: string, batch: BatchOptions<never>, maxRows: number): Problem[] {
  const { mode = 'stream', minSize, maxSize = 256, maxWaitMs = 0 } = batch
  const problems: Problem[] = []
  const bad = (name: string, expected: string, got: unknown) =>
    problems.push(badValue(at, `batch.${name}`, expected, got))
  if (mode !== 'stream' && mode !== 'bundle') bad('mode', 'stream or bundle', mode)
  if (!isWhole(maxSize) || maxSize > maxRows)
    bad('maxSize', `a whole number from 1 to ${maxRows} (the cap of rows in flight)`, maxSize)
  if (minSize !== undefined && (!isWhole(minSize) || minSize > maxSize))
    bad('minSize', `a whole number from 1 to maxSize (${maxSize})`, minSize)
  if (!(maxWaitMs >= 0 && Number.isFinite(maxWaitMs))) bad('maxWaitMs', 'milliseconds from 0', maxWaitMs)
  return problems
}

function holdProblems(at: string, { mode, minSize, maxWaitMs = 0, adaptive = false }: BatchOptions<never>): Problem[] {
  const problems: Problem[] = []
  if (minSize !== undefined && minSize > 1 && maxWaitMs === 0) {
    problems.push({
      where: at,
      what: `batch.minSize ${minSize} without maxWaitMs: a quiet topic would wait for ever`,
      remedy: 'Set batch.maxWaitMs too',
    })
  }
  if (mode === 'bundle' && (minSize !== undefined || maxWaitMs > 0)) {
    problems.push({
      where: at,
      what: 'batch.mode bundle batches what one fetch brought, so minSize and maxWaitMs do not apply',
      remedy: 'Leave them out, or use mode stream',
    })
  }
  if (mode === 'bundle' && adaptive !== false) {
    problems.push({
      where: at,
      what: 'batch.mode bundle has batches of a fixed size, so adaptive does not apply',
      remedy: 'Leave it out, or use mode stream',
    })
  }
  return problems
}

function weightProblems(at: string, { maxBytes, sizeOf, maxTotalSize }: BatchOptions<never>): Problem[] {
  const problems: Problem[] = []
  if (maxBytes !== undefined && !isWhole(maxBytes))
    problems.push(badValue(at, 'batch.maxBytes', 'a whole number of bytes from 1', maxBytes))
  if (sizeOf !== undefined && typeof sizeOf !== 'function')
    problems.push(badValue(at, 'batch.sizeOf', 'a function', sizeOf))
  if (maxTotalSize !== undefined && !isPositive(maxTotalSize))
    problems.push(badValue(at, 'batch.maxTotalSize', 'a number above 0', maxTotalSize))
  if ((sizeOf === undefined) !== (maxTotalSize === undefined)) {
    const [given, missing] = sizeOf ? ['sizeOf', 'maxTotalSize'] : ['maxTotalSize', 'sizeOf']
    problems.push({
      where: at,
      what: `batch.${given} without ${missing} limits nothing`,
      remedy: `Set batch.${missing} too, or leave both out`,
    })
  }
  return problems
}

function bucketProblems(at: string, { bucketBy }: BatchOptions<never>, isPadded: boolean): Problem[] {
  if (bucketBy === undefined || typeof bucketBy === 'function') return []
  if (typeof bucketBy !== 'object' || bucketBy === null)
    return [badValue(at, 'batch.bucketBy', 'a function, or { lengthOf, boundaries }', bucketBy)]
  const { lengthOf, boundaries } = bucketBy
  const problems = unknownNames(at, 'bucketBy option', bucketBy, Object.keys(LENGTH_OPTIONS))
  if (lengthOf !== undefined && typeof lengthOf !== 'function')
    problems.push(badValue(at, 'batch.bucketBy.lengthOf', 'a function', lengthOf))
  const ascend = (list: readonly unknown[]) =>
    list.length > 0 && list.every((each, i) => isPositive(each) && (i === 0 || each > (list[i - 1] as number)))
  if (boundaries !== undefined && !(Array.isArray(boundaries) && ascend(boundaries)))
    problems.push(badValue(at, 'batch.bucketBy.boundaries', 'ascending numbers above 0, one at least', boundaries))
  if (lengthOf === undefined && !isPadded) {
    problems.push({
      where: at,
      what: 'batch.bucketBy has no lengthOf, and no input of the model is padded, whose length it could be',
      remedy: 'Give batch.bucketBy.lengthOf, or declare the input as padded(…)',
    })
  }
  return problems
}

function adaptiveProblems(at: string, { adaptive, maxSize = 256 }: BatchOptions<never>): Problem[] {
  if (adaptive === undefined || typeof adaptive === 'boolean') return []
  if (typeof adaptive !== 'object' || adaptive === null)
    return [badValue(at, 'batch.adaptive', 'true, false or options', adaptive)]
  const problems = unknownNames(at, 'adaptive option', adaptive, Object.keys(ADAPTIVE_OPTIONS))
  const bad = (name: string, expected: string, got: unknown) =>
    problems.push(badValue(at, `batch.adaptive.${name}`, expected, got))
  const { minSize, targetBatchOverhead: overhead, variance } = adaptive
  const { targetBatchDurationMs: duration, targetBatchDurationIncludingFixedCostMs: including } = adaptive
  if (minSize !== undefined && (!isWhole(minSize) || minSize > maxSize))
    bad('minSize', `a whole number from 1 to maxSize (${maxSize})`, minSize)
  if (overhead !== undefined && !(overhead >= 0 && overhead <= 1))
    bad('targetBatchOverhead', 'a share from 0 (off) to 1', overhead)
  if (variance !== undefined && !(variance >= 0 && variance <= 1)) bad('variance', 'a share from 0 to 1', variance)
  for (const [name, ms] of Object.entries({
    targetBatchDurationMs: duration,
    targetBatchDurationIncludingFixedCostMs: including,
  }))
    if (ms !== undefined && !(ms >= 0 && Number.isFinite(ms))) bad(name, 'milliseconds from 0 (off)', ms)
  if (overhead === 0 && duration === 0 && !including) {
    problems.push({
      where: at,
      what: 'batch.adaptive has no target left: sizes would only grow to maxSize',
      remedy: 'Set one of its targets above 0, or leave adaptive out',
    })
  }
  return problems
}

/** Padded inputs: each has one open dimension to pad, and together they have one length. */
function paddingProblems(at: string, { padding = {}, masks = [], inputs }: OnnxModel): Problem[] {
  const problems: Problem[] = []
  for (const [name, { with: fill, multipleOf }] of Object.entries(padding)) {
    const where = `${at}, input "${name}"`
    const { dtype, shape } = inputs[name]!
    if (shape.filter(size => size === null).length !== 1)
      problems.push(badValue(where, 'the shape of a padded tensor', 'one open dimension (null)', shape))
    if (!isWhole(multipleOf)) problems.push(badValue(where, 'multipleOf', 'a whole number from 1', multipleOf))
    const wanted = dtype === 'int64' ? 'bigint' : 'number'
    if (dtype === 'string')
      problems.push(badValue(where, 'padded()', 'a tensor of numbers: strings have no element that fills', dtype))
    else if (typeof fill !== wanted)
      problems.push(badValue(where, 'with', dtype === 'int64' ? 'a bigint, 0n for example' : 'a number', fill))
  }
  for (const mask of masks.filter(mask => mask in inputs)) {
    problems.push({
      where: at,
      what: `input "${mask}" is the mask of a padded input, which is written for you`,
      remedy: 'Leave it out of inputs',
    })
  }
  if (new Set(Object.values(padding).map(({ multipleOf }) => multipleOf)).size > 1) {
    problems.push({
      where: at,
      what: 'its padded inputs have different multipleOf, but share one length',
      remedy: 'Give them all the same',
    })
  }
  return problems
}

function isPositive(value: unknown): value is number {
  return typeof value === 'number' && value > 0 && Number.isFinite(value)
}
