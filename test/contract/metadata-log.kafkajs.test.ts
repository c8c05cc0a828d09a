import { test } from 'node:test'
import { testCluster } from '../support/cluster.ts'
import { metadataLogContract } from './metadata-log.contract.ts'
import { metadataWriterContract } from './metadata-writer.contract.ts'
import { realBrokerFeatures } from './real-broker-features.ts'

const { brokers, prefix, skip } = await testCluster()

if (skip !== false) test('the metadata topic on real brokers', { skip })
else {
  const features = realBrokerFeatures(brokers, prefix)
  metadataLogContract(features)
  metadataWriterContract(features)
}
