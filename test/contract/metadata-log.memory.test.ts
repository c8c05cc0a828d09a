import { memoryFeatures } from './memory-features.ts'
import { metadataLogContract } from './metadata-log.contract.ts'

const { broker, features } = memoryFeatures('metadata')

metadataLogContract({ ...features, compact: topic => broker.compact(topic, 0) })
