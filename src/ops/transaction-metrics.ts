/** What is told of transactions, under exactly-once. */
import type { PipelineMetrics } from '../pipeline/pipeline-metrics.ts'
import { LABEL } from './metric-labels.ts'
import { type Prometheus, SECONDS } from './prometheus.ts'

export type TransactionMetrics = Pick<PipelineMetrics, 'transactionBegan' | 'transactionEnded'>

export function createTransactionMetrics({ counter, gauge, histogram }: Prometheus): TransactionMetrics {
  const ended = counter('kri_transactions_total', 'Transactions, by how they ended.', LABEL.topic, LABEL.outcome)
  const time = histogram(
    'kri_transaction_seconds',
    'Time from the first request of a transaction to its end.',
    SECONDS,
    LABEL.topic,
  )
  const open = gauge('kri_transactions_open', 'Transactions that are being written.', LABEL.topic)
  return {
    transactionBegan: topic => open.inc({ topic }),
    transactionEnded(topic, outcome, ms) {
      open.dec({ topic })
      ended.inc({ topic, outcome })
      time.observe({ topic }, ms / 1_000)
    },
  }
}
