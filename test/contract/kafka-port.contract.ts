import { kafkaFencingContract } from './kafka-fencing.contract.ts'
import { kafkaMemberContract } from './kafka-member.contract.ts'
import { kafkaPausedContract } from './kafka-paused.contract.ts'
import { kafkaRebalanceContract } from './kafka-rebalance.contract.ts'
import { kafkaTakeoverContract } from './kafka-takeover.contract.ts'
import { kafkaTopicContract } from './kafka-topic.contract.ts'
import { kafkaTransactionsContract } from './kafka-transactions.contract.ts'
import { kafkaWriterContract } from './kafka-writer.contract.ts'
import type { PortFeatures } from './port-harness.ts'

/** Every sentence of src/kafka/port.ts, for any adapter. Uses the port alone, with deadlines that a slow machine keeps. */
export function kafkaPortContract(features: PortFeatures): void {
  kafkaTopicContract(features)
  kafkaWriterContract(features)
  kafkaMemberContract(features)
  kafkaRebalanceContract(features)
  kafkaPausedContract(features)
  kafkaTransactionsContract(features)
  kafkaFencingContract(features)
  kafkaTakeoverContract(features)
}
