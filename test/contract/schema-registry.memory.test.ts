import { createMemoryRegistry } from '../../src/testing/memory-registry.ts'
import { schemaRegistryContract } from './schema-registry.contract.ts'

const registry = createMemoryRegistry()
schemaRegistryContract('memory', 'memory', () => registry)
