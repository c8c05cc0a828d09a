import type { PipelineMetrics } from '../pipeline/pipeline-metrics.ts'

/** What a run came to. */
export interface RunSummary {
  /** Source records whose outputs and dead letters are all acknowledged. */
  readonly records: number
  /** Rows for which inference succeeded. */
  readonly predictions: number
  readonly deadLetters: { readonly preprocess: number; readonly inference: number; readonly postprocess: number }
  /** Records that ended as a counted drop. */
  readonly dropped: number
  /** The next offset to read, as last committed, by topic and partition. */
  readonly committed: Readonly<Record<string, Readonly<Record<string, number>>>>
}

/** Counts what it passes on. */
export function tallyRun<M extends PipelineMetrics>(metrics: M): { metrics: M; summary: () => RunSummary } {
  let records = 0
  let predictions = 0
  let dropped = 0
  const deadLetters = { preprocess: 0, inference: 0, postprocess: 0 }
  const committed: Record<string, Record<string, number>> = {}
  const counting: PipelineMetrics = {
    ...metrics,
    unitAcknowledged(topic, count, oldestMs) {
      records += count
      metrics.unitAcknowledged(topic, count, oldestMs)
    },
    batchSucceeded(step, cohort, rows, ...rest) {
      predictions += rows
      metrics.batchSucceeded(step, cohort, rows, ...rest)
    },
    deadLetters(stage, step, code, count) {
      deadLetters[stage] += count
      metrics.deadLetters(stage, step, code, count)
    },
    dropped(node, count) {
      dropped += count
      metrics.dropped(node, count)
    },
    committed(topic, partition, offset) {
      committed[topic] ??= {}
      committed[topic][partition] = offset
      metrics.committed(topic, partition, offset)
    },
  }
  return {
    metrics: { ...metrics, ...counting },
    summary: () => ({ records, predictions, deadLetters, dropped, committed }),
  }
}

/** Several members' work as one. */
export function addSummaries(summaries: readonly RunSummary[]): RunSummary {
  const sum = (of: (summary: RunSummary) => number) => summaries.reduce((total, summary) => total + of(summary), 0)
  const committed: Record<string, Record<string, number>> = {}
  for (const summary of summaries) {
    for (const [topic, offsets] of Object.entries(summary.committed)) {
      committed[topic] ??= {}
      const merged = committed[topic]
      // A partition may have moved from one member to another.
      for (const [partition, offset] of Object.entries(offsets))
        merged[partition] = Math.max(offset, merged[partition] ?? 0)
    }
  }
  return {
    records: sum(({ records }) => records),
    predictions: sum(({ predictions }) => predictions),
    deadLetters: {
      preprocess: sum(({ deadLetters }) => deadLetters.preprocess),
      inference: sum(({ deadLetters }) => deadLetters.inference),
      postprocess: sum(({ deadLetters }) => deadLetters.postprocess),
    },
    dropped: sum(({ dropped }) => dropped),
    committed,
  }
}
