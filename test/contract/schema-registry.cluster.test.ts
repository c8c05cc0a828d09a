import { test } from 'node:test'
import { createSchemaRegistry } from '../../src/kafka/schema-registry.ts'
import { testCluster } from '../support/cluster.ts'
import { keepCompatible } from '../support/keep-compatible.ts'
import { schemaRegistryContract } from './schema-registry.contract.ts'

const { registryUrl, prefix, skip } = await testCluster()

if (skip !== false) test('the schema registry contract on a real registry', { skip })
else {
  const open = () => createSchemaRegistry({ url: registryUrl })
  schemaRegistryContract('a real registry', prefix, open, subject => keepCompatible(registryUrl, subject))
}
