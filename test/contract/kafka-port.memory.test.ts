import { kafkaPortContract } from './kafka-port.contract.ts'
import { memoryFeatures } from './memory-features.ts'

kafkaPortContract(memoryFeatures('contract').features)
