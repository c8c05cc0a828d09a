import { metadataLogContract } from './metadata-log.contract.ts'
import { memoryFeatures } from './metadata-memory.ts'

const { broker, features } = memoryFeatures()

metadataLogContract({ ...features, compact: topic => broker.compact(topic, 0) })
