// One broker with every kind of listener and an authorizer, for all that has to do with credentials and rights.
import { after, describe } from 'node:test'
import { securedCluster } from '../support/secured-cluster.ts'
import { ACL_USERS, aclSuite } from './acls.suite.ts'
import { commandSuite } from './commands.suite.ts'
import { connectionSuite } from './connections.suite.ts'
import { DLQ_USERS, dlqAclSuite } from './dlq-acls.suite.ts'
import { MODEL_USERS, modelAclSuite } from './model-acls.suite.ts'
import { SHADOW_USERS, shadowAclSuite } from './shadow-acls.suite.ts'
import { TOOL_USERS, toolAclSuite } from './tool-acls.suite.ts'

const secured = await securedCluster({
  plainUsers: [...ACL_USERS, ...MODEL_USERS, ...SHADOW_USERS, ...DLQ_USERS, ...TOOL_USERS],
  registry: true,
})

describe('a secured broker', { skip: secured.skip }, () => {
  after(() => secured.stop())
  connectionSuite(secured)
  commandSuite(secured)
  aclSuite(secured)
  modelAclSuite(secured)
  shadowAclSuite(secured)
  dlqAclSuite(secured)
  toolAclSuite(secured)
})
