import { kafkaMemberContract } from './kafka-member.contract.ts'
import { kafkaRebalanceContract } from './kafka-rebalance.contract.ts'
import { kafkaTopicContract } from './kafka-topic.contract.ts'
import { kafkaWriterContract } from './kafka-writer.contract.ts'
import type { PortFeatures } from './port-harness.ts'

/** Every sentence of src/kafka/port.ts, for any adapter. Uses the port alone, with deadlines that a slow machine keeps. */
export function kafkaPortContract(features: PortFeatures): void {
  kafkaTopicContract(features)
  kafkaWriterContract(features)
  kafkaMemberContract(features)
  kafkaRebalanceContract(features)
}
