import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { emptyRecord, RecordBatchBuilder } from '../../src/kafka/record-batch-builder.ts'
import { testCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { followedApp } from '../support/followed-app.ts'

const cluster = await testCluster()

describe('a published model that hangs while it loads', { skip: cluster.skip, timeout: 120_000 }, () => {
  const app = followedApp(cluster, 'sum', 1, 'test/support/hanging-followed-topology.ts')
  const { input, module, flags, processes, models, json } = app
  const run = (...own: readonly string[]) => processes.kri('run', module, ...flags, ...own)

  it('keeps no instance from stopping in order', async () => {
    const instance = run('--http-port', '0')
    await instance.whenReady(60_000)
    await json('publish', 'hang', '--no-check')
    await eventually('it loads', async () => /loading/.test((await models('status')).stdout), 60_000)
    instance.child.kill('SIGTERM')
    assert.equal(await instance.ended, 0, instance.log())
  })

  it('nor one that ends by itself at the end of its input', async () => {
    const builder = new RecordBatchBuilder(input, 0, 1_000_000)
    const value = Buffer.alloc(4 * 64)
    builder.append({ ...emptyRecord(), timestamp: Date.now(), key: null, keyEnd: 0, value, valueEnd: value.length })
    const writer = processes.port.writer()
    await writer.send([builder.seal()])
    await writer.close()
    const instance = run('--http-port', 'off', '--until-end', '--json', '--model-load-timeout-ms', '1000')
    assert.equal(await instance.ended, 0, instance.log())
    assert.equal(JSON.parse(instance.output()).reachedEnd, true)
  })
})
