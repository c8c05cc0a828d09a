import { styleText } from 'node:util'
import { deadLetterTopic, type FailedStage } from '../src/kafka/topic-names.ts'
import type { Topology } from '../src/topology.ts'
import { BAD_RECORDS } from './bad-records.ts'
import type { ModelVerdict, Verdict } from './check.ts'
import type { ClassifyCounts } from './classify.ts'
import type { Course } from './course.ts'
import type { DigitImage } from './digit-images.ts'
import { modelProblems } from './model-problems.ts'

export interface DemoResult extends Course {
  readonly topology: Topology
  readonly images: readonly DigitImage[]
  readonly verdict: Verdict
  readonly seconds: number
}

/** True when everything holds that the demo is there to show. */
export function holds(result: DemoResult, records: number): boolean {
  const { produced, lost, duplicates, orderViolations, mismatches } = result.verdict
  const isWhole = produced === records && lost + duplicates + orderViolations + mismatches === 0
  return isWhole && modelProblems(result).length === 0
}

/** The one object of `--json`. */
export function jsonOf(result: DemoResult): string {
  const { topology, verdict, counts, bad, better, seconds } = result
  const ofModels = (of: (model: ModelVerdict) => number) =>
    Object.fromEntries([...verdict.models].map(([id, model]) => [id, of(model)]))
  const failed = (stage: FailedStage) => total(verdict.deadLetters.get(failedTopic(topology, stage)))
  return JSON.stringify({
    produced: verdict.produced,
    predictions: verdict.predictions,
    failedPreprocess: failed('preprocess'),
    failedInference: failed('inference'),
    failedPostprocess: failed('postprocess'),
    lost: verdict.lost,
    duplicates: verdict.duplicates,
    orderViolations: verdict.orderViolations,
    mismatches: verdict.mismatches,
    accuracy: round(verdict.accuracy, 4),
    batches: counts.batches,
    meanBatch: round(counts.rows / Math.max(1, counts.batches), 1),
    models: ofModels(({ predictions }) => predictions),
    seconds: round(seconds, 2),
    modelAccuracy: ofModels(({ accuracy }) => round(accuracy, 4)),
    published: { modelId: better.modelId, revision: better.revision, outcome: better.outcome },
    refused: {
      ...{ modelId: bad.modelId, revision: bad.revision, outcome: bad.outcome },
      ...{ serves: bad.serves, reason: bad.reason },
    },
    modelProblems: modelProblems(result),
  })
}

/** The same for people, and the first findings where something does not hold. */
export function textOf(result: DemoResult, records: number, stream: NodeJS.WriteStream): string {
  const { verdict, counts, backlog, bad, seconds } = result
  const { predictions, lost, duplicates, orderViolations, mismatches, findings } = verdict
  const meanBatch = counts.rows / Math.max(1, counts.batches)
  const good = holds(result, records)
  const judgement = good
    ? styleText('green', '✔ Nothing lost, nothing doubled, everything in order and as expected', { stream })
    : styleText('red', '✘ Not everything holds', { stream })
  return [
    '',
    `  ${styleText('bold', 'Predictions', { stream })}   ${whole(predictions)}, ${percent(verdict.accuracy)} of them right`,
    ...modelLines(verdict),
    `  Batches       ${whole(counts.batches)} of ${meanBatch.toFixed(1)} rows, ` +
      `${perBatch(counts.computeMs, counts)} in the model and ${perBatch(counts.queueMs, counts)} waiting for it`,
    `  Throughput    ${whole(throughput(backlog))} records/s of the ${whole(backlog.acknowledged)} that had waited, from the first fetch to the last`,
    `                acknowledgement; ${perRecord(backlog)} of processor time a record on the main thread`,
    '',
    `  ${styleText('bold', 'Refused', { stream })}       ${bad.modelId}, published as revision ${bad.revision}; ${bad.serves} went on:`,
    `                ${bad.reason ?? bad.outcome}`,
    '',
    `  ${styleText('bold', 'Dead letters', { stream })}  ${whole([...verdict.deadLetters.values()].map(total).reduce((a, b) => a + b, 0))}`,
    ...deadLetterLines(verdict),
    '',
    `  ${styleText('bold', 'Checked', { stream })}       what went in against what the topics hold, by topic, partition and offset:`,
    `                lost ${lost}, duplicates ${duplicates}, out of order ${orderViolations}, mismatches ${mismatches}`,
    ...(verdict.produced === records
      ? []
      : [`                the source topic holds ${verdict.produced} of ${records}`]),
    ...[...findings, ...modelProblems(result)].map(finding => `                ${finding}`),
    '',
    `${judgement}, in ${seconds.toFixed(1)} s.`,
    '',
  ].join('\n')
}

function modelLines({ models }: Verdict): string[] {
  const width = Math.max(...[...models.keys()].map(id => id.length), 0)
  return [...models].map(
    ([id, { predictions, accuracy }], i) =>
      `  ${i === 0 ? 'By model' : '        '}      ${id.padEnd(width)}  ${whole(predictions).padStart(7)}, ${percent(accuracy)} of them right`,
  )
}

function deadLetterLines({ deadLetters }: Verdict): string[] {
  const width = Math.max(...[...deadLetters.keys()].map(topic => topic.length), 0)
  return [...deadLetters].flatMap(([topic, codes]) =>
    [...codes].map(([code, count]) => {
      const what = BAD_RECORDS.find(bad => bad.code === code)?.what ?? ''
      return `    ${topic.padEnd(width)}  ${code.padEnd(21)} ${whole(count).padStart(7)}  ${what}`
    }),
  )
}

export function failedTopic(topology: Topology, stage: FailedStage): string {
  return deadLetterTopic(topology.name, topology.steps[0]?.step, stage)
}

/** Source records a second, from the first block that came to the last acknowledgement. */
export function throughput({ acknowledged, firstBlockAtMs, lastAcknowledgedAtMs }: ClassifyCounts): number {
  return (acknowledged / Math.max(1, lastAcknowledgedAtMs - firstBlockAtMs)) * 1000
}

export function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

function perBatch(totalMs: number, { batches }: ClassifyCounts): string {
  return `${(totalMs / Math.max(1, batches)).toFixed(2)} ms`
}

function perRecord({ mainThreadMs, acknowledged }: ClassifyCounts): string {
  return `${((1000 * mainThreadMs) / Math.max(1, acknowledged)).toFixed(1)} µs`
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}

function total(codes: ReadonlyMap<string, number> | undefined): number {
  return [...(codes?.values() ?? [])].reduce((sum, count) => sum + count, 0)
}
