/** Why rows that a shadow should score were not; a label of the metrics. */
export type ShadowDropReason = 'full' | 'closed' | 'failed' | 'outage' | 'unwritten'

/** What shadows tell, by the batch. `cohort`: of the model that serves. Nothing of it counts as work of the step. */
export interface ShadowMetrics {
  /** A shadow began, and nothing was compared yet. */
  shadowBegan(step: string, cohort: number): void
  /** A call of the shadow gave results. */
  shadowRan(step: string, cohort: number, computeMs: number): void
  /** Rows by what came of them, and the largest difference since the shadow began. */
  shadowCompared(
    step: string,
    cohort: number,
    rows: { readonly same: number; readonly different: number; readonly failed: number },
    maxDifference: number,
  ): void
  /** Rows that were not scored. */
  shadowDropped(step: string, cohort: number, rows: number, reason: ShadowDropReason): void
  /** Rows that were scored, and whose records were not written. */
  shadowUnwritten(step: string, cohort: number, rows: number): void
}
