// An error that nobody expects, in the middle of the work: the process ends, and says where; it never lives on without working.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { testCluster } from '../support/cluster.ts'
import { kriOnCluster } from '../support/kri-on-cluster.ts'
import { plainRecord, sealedBatch } from '../support/record-batches.ts'

const { brokers, prefix: own, skip } = await testCluster()

describe('a TypeError outside of functions and handlers', { skip, timeout: 120_000 }, () => {
  const cluster = kriOnCluster('own-bug', brokers)

  for (const at of ['prepare', 'promise']) {
    it(`thrown ${at === 'prepare' ? 'while records are taken' : 'later, in a promise'} ends the process with a code that is not zero, and nothing committed`, async () => {
      const prefix = `${own}${at}.`
      const module = ['test/support/own-bug-topology.ts', `--param=prefix=${prefix}`, `--param=at=${at}`]
      const apply = cluster.kri('topics', 'apply', ...module, '--partitions=1')
      assert.equal(await apply.ended, 0, apply.log())
      const running = cluster.kri('run', ...module, '--http-port=0')
      await running.whenReady()
      const writer = cluster.port.writer()
      await writer.send([sealedBatch([plainRecord('a')], `${prefix}in`, 0)])
      await writer.close()
      assert.equal(await running.ended, 1, running.log())
      assert.match(running.log(), /Cannot read properties of undefined/)
      assert.deepEqual(await cluster.port.admin.committed(`${prefix}bug`, `${prefix}in`), [0])
    })
  }
})
